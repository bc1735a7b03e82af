"""The yardstick of `lookup_http`: the same answer from a plain endpoint, out of memory."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

UNIT = {
    "id": "019ab6c2-7e1d-7c52-9f0a-3b1c5d7e9f01",
    "serial": "S0000001",
    "status": "IN_STOCK",
    "disposition": "SELLABLE_ACCESSIBLE",
    "version": 2,
    "grade": None,
    "isPromised": False,
    "isBlocked": False,
    "receivedAt": "2026-11-02T12:00:00.000000+00:00",
    "changedAt": "2026-11-02T12:00:00.000000+00:00",
}


async def _unit(request: Request) -> JSONResponse:
    asked = await request.json()
    return JSONResponse({"data": {"unit": UNIT | {"serial": asked["variables"]["identifier"]}}})


app = Starlette(
    routes=[
        Route("/graphql", _unit, methods=["POST"]),
        Route("/healthz", lambda _: JSONResponse({"status": "alive"})),
    ]
)
