"""Simulator of HP's warranty service."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.manufacturer_simulator import (
    ManufacturerSimulator,
)


class HpSimulator(ManufacturerSimulator):
    """HP: five serials at once, a thousand as a job that is processed when it was asked twice."""

    token_path = "/oauth/v1/token"

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.jobs: dict[str, list[dict[str, str]]] = {}
        self.looks: dict[str, int] = {}
        self.looks_until_done = 2
        self.gives_jobs_up = False
        base = "/productwarranty/v2"
        routes = [
            Route(f"{base}/queries", self._queries, methods=["POST"]),
            Route(f"{base}/jobs", self._begin, methods=["POST"]),
            Route(f"{base}/jobs/{{job}}", self._job),
            Route(f"{base}/jobs/{{job}}/results", self._results),
        ]
        super().__init__(routes, clock)

    async def _queries(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        asked = json.loads(await request.body())
        if not 0 < len(asked) <= 5:
            return JSONResponse({"message": "1 to 5 devices"}, status_code=400)
        return JSONResponse([self._shown(each) for each in asked])

    async def _begin(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = f"job-{self.next_id()}"
        self.jobs[job] = json.loads(await request.body())
        return JSONResponse({"jobId": job, "estimatedTime": 30})

    async def _job(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = request.path_params["job"]
        if job not in self.jobs:
            return JSONResponse({"message": "no such job"}, status_code=404)
        self.looks[job] = self.looks.get(job, 0) + 1
        if self.gives_jobs_up:
            return JSONResponse({"jobId": job, "status": "failed"})
        done = self.looks[job] > self.looks_until_done
        status = "completed" if done else "incomplete"
        return JSONResponse({"jobId": job, "status": status, "estimatedTime": 10})

    async def _results(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        job = request.path_params["job"]
        if self.looks.get(job, 0) <= self.looks_until_done:
            return JSONResponse({"message": "not completed"}, status_code=404)
        return JSONResponse([self._shown(each) for each in self.jobs[job]])

    def _shown(self, asked: Mapping[str, str]) -> dict[str, Any]:
        found = self.of(asked["sn"], asked.get("pn"))
        product = {"serialNumber": asked["sn"], "productNumber": asked.get("pn", "")}
        if not found:
            return {"product": product, "offers": []}
        product["productNumber"] = found[0].product
        return {
            "product": product,
            "offers": [
                {
                    "offerDescription": cover.name,
                    "serviceObligationTypeCode": "W",
                    "serviceObligationLineItemStartDate": str(cover.starts_on),
                    "serviceObligationLineItemEndDate": str(cover.ends_on),
                }
                for cover in found[0].covers
            ],
        }
