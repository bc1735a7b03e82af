"""The console's pages and where they are: each asks one operation and fills one template."""

from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from hub.access.keys import Scope
from hub_api.console import certificates
from hub_api.console.actions import ACTIONS
from hub_api.console.auth import Gate, to_login
from hub_api.console.client import Client, Unanswered
from hub_api.console.page_request import Visit
from hub_api.console.rendering import Looks, files, guarded
from hub_api.console.run_export import run_csv, run_json, run_print
from hub_api.engine.execution import Execution
from hub_api.http.access import Access

Page = Callable[[Visit], Awaitable[Response]]
SEVERITIES = ("HIGH", "MEDIUM", "LOW")


class Console:
    """The pages for operations people; mount `routes()` at /console behind a session."""

    def __init__(self, execution: Execution, access: Access, examples: Mapping[str, str]) -> None:
        self._access = access
        self._client = Client(execution, examples)
        self._looks = Looks()

    def routes(self) -> list[BaseRoute]:
        """Return the routes, in the order in which they are tried."""
        gate = Gate(self._access, self._looks)
        return [
            Mount("/static", files()),
            Route("/login", gate.login, methods=["GET", "POST"]),
            Route("/logout", gate.logout, methods=["POST"]),
            *(Route(path, self._inside(act), methods=["POST"]) for path, act in ACTIONS.items()),
            *(Route(path, self._inside(page)) for path, page in PAGES.items()),
            Route("/{path:path}", self._inside(_missing)),
        ]

    def _inside(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            context = await self._access.by_session(request)
            if context is None:
                return guarded(to_login(request))
            visit = Visit(request, context, self._client, self._looks)
            try:
                if not context.caller.may(Scope.OPS):
                    raise Unanswered("The console needs a key with the scope ops.", "FORBIDDEN")
                return guarded(await page(visit))
            except Unanswered as refusal:
                return guarded(visit.problem(refusal))

        return endpoint


async def _missing(_: Visit) -> Response:
    raise Unanswered("The console has no page at this address.", "NOT_FOUND", 404)


def _plain(operation: str, *, parts: tuple[str, ...] = (), filters: tuple[str, ...] = ()) -> Page:
    """Make a page whose variables are parts of its path and filters of its query."""

    async def page(visit: Visit) -> Response:
        variables: dict[str, Any] = {name: visit.part(name) for name in parts}
        variables |= visit.given(*filters)
        answer = await visit.ask(operation, **variables)
        return visit.show(f"{operation}.html", answer.data)

    return page


async def _overview(visit: Visit) -> Response:
    answer = await visit.ask("overview")
    live = answer.data["liveCases"]
    severities = [case["severity"] for case in live["nodes"]]
    newest_jobs: dict[str, Mapping[str, Any]] = {}
    for job in answer.data["jobRuns"]:
        newest_jobs.setdefault(job["job"], job)
    return visit.show(
        "overview.html",
        answer.data,
        by_severity={each: severities.count(each) for each in SEVERITIES},
        more_cases=live["pageInfo"]["hasNextPage"],
        jobs=sorted(newest_jobs.values(), key=lambda job: str(job["job"])),
    )


async def _units(visit: Visit) -> Response:
    given = visit.given("q", "sku", "status", "location", "after")
    q = given.pop("q")
    problem = None
    try:
        answer = await visit.ask("units", **given, q=q, prefix=q, search=q is not None)
    except Unanswered as refusal:
        if q is None or refusal.code != "INVALID_BARCODE":
            raise
        problem, answer = refusal, await visit.ask("units", **given, search=False)
    if found := answer.data.get("unit"):
        return RedirectResponse(f"/console/units/{found['id']}", 303)
    error = answer.error_at("unit")
    extensions = error.get("extensions", {}) if error else {}
    return visit.show(
        "units.html",
        answer.data,
        q=q,
        problem=problem,
        several=extensions.get("skus", []),
        status=404 if problem or (q and not answer.data["units"]["nodes"]) else 200,
    )


async def _unit(visit: Visit) -> Response:
    answer = await visit.ask("unit", id=visit.part("id"))
    unit = answer.data["unit"]
    if unit is None:
        refusal = answer.error_at("unit")
        if refusal is not None:
            raise Unanswered.of(refusal)
        raise Unanswered("No unit bears this identifier.", "UNKNOWN_UNIT")
    history = unit["history"]
    links = pairwise(history)
    return visit.show(
        "unit.html",
        answer.data,
        is_linked=all(after["previousHash"] == before["hash"] for before, after in links),
        places={event["location"]: event["locationName"] for event in history},
        warranty_error=answer.error_at("unit", "warranty"),
    )


async def _service_levels(visit: Visit) -> Response:
    channel = visit.given("channel")["channel"]
    if channel is None:
        channels = (await visit.ask("first_channel")).data["channels"]
        if not channels:
            return visit.show("service_levels.html", {"reconciliationLevels": None})
        first = quote(str(channels[0]["code"]))
        return RedirectResponse(f"/console/service-levels?channel={first}", 303)
    answer = await visit.ask("service_levels", channel=channel)
    return visit.show("service_levels.html", answer.data)


PAGED = ("after",)
PAGES: Mapping[str, Page] = {
    "/": _overview,
    "/runs": _plain("runs", filters=("channel", *PAGED)),
    "/runs/{id}.csv": run_csv,
    "/runs/{id}.json": run_json,
    "/runs/{id}/print": run_print,
    "/runs/{id}": _plain("run", parts=("id",), filters=PAGED),
    "/differences": _plain("differences", filters=("state", "kind", "channel", *PAGED)),
    "/service-levels": _service_levels,
    "/units": _units,
    "/units/{id}/certificate": certificates.show,
    "/units/{id}": _unit,
    "/cases": _plain("cases", filters=("state", "kind", *PAGED)),
    "/cases/{id}": _plain("case", parts=("id",)),
    "/orders": _plain("orders", filters=("channel", "state", "hold", "number", *PAGED)),
    "/orders/{id}": _plain("order", parts=("id",)),
    "/channels": _plain("channels"),
    "/channels/{code}/availability": _plain(
        "availability", parts=("code",), filters=("sku", *PAGED)
    ),
    "/channels/{code}": _plain("channel", parts=("code",)),
    "/webhooks": _plain("webhooks"),
    "/webhooks/{id}": _plain("webhook", parts=("id",), filters=("state", *PAGED)),
}
