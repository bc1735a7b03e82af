"""Simulator of Dell's warranty service."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.manufacturer_simulator import ManufacturerSimulator


class DellSimulator(ManufacturerSimulator):
    """TechDirect: a hundred service tags a call; one that it does not know is invalid."""

    token_path = "/auth/oauth/v2/token"

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        path = "/PROD/sbil/eapi/v5/asset-entitlements"
        super().__init__([Route(path, self._entitlements)], clock)

    async def _entitlements(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        tags = [each for each in request.query_params.get("servicetags", "").split(",") if each]
        if not 0 < len(tags) <= 100:
            return JSONResponse({"Fault": "1 to 100 service tags"}, status_code=400)
        return JSONResponse([self._shown(tag) for tag in tags])

    def _shown(self, tag: str) -> dict[str, Any]:
        found = self.of(tag)
        if not found:
            return {"id": 0, "serviceTag": tag.upper(), "invalid": True, "entitlements": []}
        return {
            "id": 1,
            "serviceTag": tag.upper(),
            "shipDate": f"{min(each.starts_on for each in found[0].covers)}T00:00:00Z"
            if found[0].covers
            else None,
            "productId": found[0].product,
            "duplicated": len(found) > 1,
            "invalid": False,
            "entitlements": [
                {
                    "itemNumber": str(number),
                    "startDate": f"{cover.starts_on}T00:00:00Z",
                    "endDate": f"{cover.ends_on}T23:59:59.999Z",
                    "entitlementType": "INITIAL",
                    "serviceLevelCode": cover.code,
                    "serviceLevelDescription": cover.name,
                }
                for number, cover in enumerate(found[0].covers)
            ],
        }
