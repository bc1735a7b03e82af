"""Simulator of the FDA's device database, by both of its sources."""

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator


class GudidSimulator(Simulator):
    """Knows the devices that it was reported about, as records of openFDA."""

    def __init__(
        self, clock: Callable[[], datetime] | None = None, key: str = "twin-openfda-key"
    ) -> None:
        self.key = key
        self.records: list[dict[str, Any]] = []
        routes = [
            Route("/api/v3/devices/lookup.json", self._lookup),
            Route("/device/udi.json", self._search),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str, source: str = "openfda") -> dict[str, Any]:
        """Return the settings with which the connector reaches this simulator."""
        key = {"api_key": self.key} if source == "openfda" else {}
        return {"source": source, "base_url": url, "calls_per_second": 4, **key}

    def register(self, identifier: str, brand: str, **more: Any) -> None:
        """Register a device."""
        self.records.append(
            {
                "brand_name": brand,
                "company_name": "Nuvasive, Inc.",
                "identifiers": [{"id": identifier, "issuing_agency": "GS1", "type": "Primary"}],
                "has_serial_number": "false",
                "has_lot_or_batch_number": "true",
                "has_expiration_date": "false",
                "is_single_use": "true",
                "is_rx": "true",
                "publish_date": "2015-10-24",
                **more,
            }
        )

    def _of(self, identifier: str) -> list[dict[str, Any]]:
        return [
            record
            for record in self.records
            if any(each["id"] == identifier for each in record["identifiers"])
        ]

    async def _search(self, request: Request) -> Response:
        head = request.headers.get("authorization", "").removeprefix("Basic ")
        if head and base64.b64decode(head).decode() != f"{self.key}:":
            error = {"code": "API_KEY_INVALID", "message": "An invalid api_key was supplied."}
            return JSONResponse({"error": error}, status_code=403)
        asked = re.fullmatch(r'identifiers\.id:"([^"]+)"', request.query_params["search"])
        found = self._of(asked[1]) if asked else []
        if not found:
            error = {"code": "NOT_FOUND", "message": "No matches found!"}
            return JSONResponse({"error": error}, status_code=404)
        return JSONResponse({"meta": {"results": {"total": len(found)}}, "results": found[:1]})

    async def _lookup(self, request: Request) -> Response:
        found = self._of(request.query_params.get("di", ""))
        if not found:
            return JSONResponse({"error": "No device found"}, status_code=404)
        return JSONResponse({"gudid": {"device": _as_accessgudid(found[0])}})


def _as_accessgudid(record: Mapping[str, Any]) -> dict[str, Any]:
    """Show a record in the words of the other source; its flags are no texts there."""
    identifiers = [
        {"deviceId": each["id"], "deviceIdType": each["type"]} for each in record["identifiers"]
    ]
    return {
        "brandName": record["brand_name"],
        "companyName": record["company_name"],
        "versionModelNumber": record.get("version_or_model_number"),
        "catalogNumber": record.get("catalog_number"),
        "deviceDescription": record.get("device_description"),
        "deviceCommDistributionStatus": record.get("commercial_distribution_status"),
        "devicePublishDate": record["publish_date"],
        "serialNumber": record["has_serial_number"] == "true",
        "lotBatch": record["has_lot_or_batch_number"] == "true",
        "expirationDate": record["has_expiration_date"] == "true",
        "singleUse": record["is_single_use"] == "true",
        "rx": record["is_rx"] == "true",
        # One of a list comes without the list.
        "identifiers": {"identifier": identifiers if len(identifiers) > 1 else identifiers[0]},
    }
