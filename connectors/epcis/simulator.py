"""An EPCIS 2.0 repository: capture jobs that take their time, events by their ids, page by page.

It keeps GS1's rules as far as they concern a sender: a document has its fields, a job tells which
of its events failed, an object is commissioned once, and an eventID is used once, but for the
declaration of an error about it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator

PER_PAGE_MAX = 30
REQUIRED = ("type", "eventID", "eventTime", "eventTimeZoneOffset", "action")
EPCS = {"ObjectEvent": "epcList", "AggregationEvent": "childEPCs"}


@dataclass(slots=True)
class CaptureJob:
    """One capture: its events, when it is processed, and what became of it."""

    events: list[dict[str, Any]]
    proceeds: bool
    looks_left: int
    errors: list[str] = field(default_factory=list)
    done: bool = False


class EpcisSimulator(Simulator):
    """One repository. `dresses_refusals` answers 500 at once, as some servers do."""

    def __init__(
        self, clock: Callable[[], datetime] | None = None, token: str = "twin-epcis-token"
    ) -> None:
        self.token = token
        self.events: list[dict[str, Any]] = []
        self.jobs: dict[str, CaptureJob] = {}
        self.looks_until_done = 1
        self.capture_limit = 100
        self.dresses_refusals = False
        self.ignores_proceed = False
        self.refused_epcs: set[str] = set()
        self.refused_serials: set[str] = set()
        routes = [
            Route("/capture", self._capture, methods=["POST"]),
            Route("/capture/{job}", self._job),
            Route("/events", self._query),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this simulator."""
        return {
            "base_url": url,
            "token": self.token,
            "own_address": "https://id.example.com",
            "calls_per_second": 1000,
        }

    async def _capture(self, request: Request) -> Response:
        if (refused := self._refuse(request)) is not None:
            return refused
        payload = json.loads(await request.body())
        events = payload.get("epcisBody", {}).get("eventList", [])
        if payload.get("schemaVersion") != "2.0" or payload.get("type") != "EPCISDocument":
            return _problem(400, "epcisException:ValidationException", "no EPCIS 2.0 document")
        if len(events) > self.capture_limit:
            return _problem(413, "epcisException:CaptureLimitExceededException", "too many events")
        for event in events:
            names = [*REQUIRED, EPCS.get(str(event.get("type")), "epcList")]
            if event.get("type") == "AggregationEvent":
                names.append("parentID")
            if missing := [name for name in names if name not in event]:
                return _problem(400, "epcisException:ValidationException", f"without {missing}")
        if self.dresses_refusals:
            return self._at_once(events)
        behaviour = request.headers.get("gs1-capture-error-behaviour", "rollback")
        proceeds = behaviour == "proceed" and not self.ignores_proceed
        job = f"job-{self.next_id()}"
        self.jobs[job] = CaptureJob(events, proceeds, self.looks_until_done)
        return Response(status_code=202, headers={"location": f"/v2/capture/{job}"})

    def _at_once(self, events: list[dict[str, Any]]) -> Response:
        """Work off without a job, and fall over what is refused: all or nothing."""
        wrong = [reason for event in events if (reason := self._wrong(event))]
        if wrong:
            return JSONResponse({"detail": wrong[0]}, status_code=500)
        self.events += events
        return JSONResponse({"task": "done"}, status_code=201)

    async def _job(self, request: Request) -> Response:
        if (refused := self._refuse(request)) is not None:
            return refused
        job = self.jobs.get(request.path_params["job"])
        if job is None:
            return _problem(404, "epcisException:NoSuchResourceException", "no such job")
        if job.looks_left > 0:
            job.looks_left -= 1
        elif not job.done:
            self._work_off(job)
        return JSONResponse(
            {
                "captureID": request.path_params["job"],
                "running": not job.done,
                "success": not job.errors,
                "captureErrorBehaviour": "proceed" if job.proceeds else "rollback",
                "errors": [
                    {
                        "type": "epcisException:ValidationException",
                        "title": "refused",
                        "detail": each,
                    }
                    for each in job.errors
                ],
            }
        )

    def work_off(self) -> None:
        """Work every job off, though nobody looks."""
        for job in self.jobs.values():
            if not job.done:
                self._work_off(job)

    def _work_off(self, job: CaptureJob) -> None:
        taken: list[dict[str, Any]] = []
        for event in job.events:
            if reason := self._wrong(event, taken):
                job.errors.append(reason)
            else:
                taken.append(event)
        if job.proceeds or not job.errors:
            self.events += taken
        job.done = True

    def _wrong(self, event: Mapping[str, Any], also: list[dict[str, Any]] | None = None) -> str:
        """Say what is wrong with an event beside what is there; nothing if it is taken."""
        known = [*self.events, *(also or [])]
        declares = "errorDeclaration" in event
        if any(
            each["eventID"] == event["eventID"] and ("errorDeclaration" in each) == declares
            for each in known
        ):
            return f"The event {event['eventID']} exists already."
        (epc,) = event[EPCS[event["type"]]]
        if epc in self.refused_epcs or epc.rpartition("/")[2] in self.refused_serials:
            return f"The epc {epc} is not of this partner."
        born = [
            each for each in known if each["action"] == "ADD" and epc in each.get("epcList", ())
        ]
        commissions = event["type"] == "ObjectEvent" and event["action"] == "ADD"
        if commissions and born and not declares:
            return f"The epc {epc} has already been commissioned."
        return ""

    async def _query(self, request: Request) -> Response:
        if (refused := self._refuse(request)) is not None:
            return refused
        asked = request.query_params.get("EQ_eventID")
        wanted = set(asked.split("|")) if asked else None
        found = [each for each in self.events if wanted is None or each["eventID"] in wanted]
        start = int(request.query_params.get("nextPageToken") or 0)
        size = min(int(request.query_params.get("perPage") or PER_PAGE_MAX), PER_PAGE_MAX)
        headers = {}
        if start + size < len(found):
            address = request.url.include_query_params(nextPageToken=str(start + size))
            headers["link"] = f'<{address}>; rel="next"'
        build_document = {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISQueryDocument",
            "schemaVersion": "2.0",
            "creationDate": self.now().isoformat(),
            "epcisBody": {
                "queryResults": {
                    "queryName": "SimpleEventQuery",
                    "resultsBody": {"eventList": found[start : start + size]},
                }
            },
        }
        return JSONResponse(build_document, headers=headers)

    def _refuse(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        return _problem(401, "epcisException:SecurityException", "unauthorized")


def _problem(status: int, kind: str, title: str) -> Response:
    return JSONResponse({"type": kind, "title": title, "status": status}, status_code=status)
