"""A manufacturer that knows its serials: look-up and registration over REST."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.testing.doors import KeyDoor
from connectors.testing.record_twin import RecordTwin, Refusal, route


@dataclass(slots=True)
class _Unit:
    serial: str
    product: str
    ends_on: date | None
    starts_on: date | None
    sold_on: date | None = None
    reference: str = ""


class WarrantySimulator(RecordTwin):
    """Knows the units that it was reported about; everything else is 404."""

    def __init__(
        self,
        token: str = "twin-warranty-token",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.units: dict[str, _Unit] = {}
        super().__init__(KeyDoor(token, "token"), clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector `warranty_rest` reaches this simulator."""
        return {
            **super().settings(url),
            "lookup_path": "/warranties/{serial}",
            "registration_path": "/registrations",
        }

    def add_unit(
        self,
        serial: str,
        product: str,
        ends_on: date | None = None,
        starts_on: date | None = None,
    ) -> None:
        """Make a unit known; without a last day it is known and not covered."""
        self.units[serial] = _Unit(serial, product, ends_on, starts_on)

    def forget_unit(self, serial: str) -> None:
        """Lose the record of a unit."""
        del self.units[serial]

    def sold_on(self, serial: str) -> date | None:
        """Return the day of sale that was registered for a serial."""
        return self.units[serial].sold_on

    @route("GET", "/warranties/{serial:path}")
    async def look_up(self, request: Request) -> Any:
        """Answer with the warranty of a unit."""
        return self._shown(self._known(request.path_params["serial"]))

    @route("POST", "/registrations")
    async def register(self, request: Request) -> Response:
        """Register the sale of a unit; its key makes a repeat the same one."""
        key, body = request.headers.get("idempotency-key"), await request.body()
        answer = self.once(key, body, lambda: self._registered(json.loads(body)))
        return JSONResponse(answer, status_code=201)

    def _known(self, serial: str) -> _Unit:
        if serial not in self.units:
            raise Refusal(404, {"error": "serial not known"})
        return self.units[serial]

    def _registered(self, asked: dict[str, Any]) -> dict[str, Any]:
        unit = self._known(asked.get("serial", ""))
        if unit.sold_on is not None:
            raise Refusal(409, {"error": "already registered"})
        unit.sold_on = date.fromisoformat(asked["sold_on"])
        unit.reference = str(asked.get("reference") or "")
        unit.starts_on = unit.starts_on or unit.sold_on
        return self._shown(unit)

    def _shown(self, unit: _Unit) -> dict[str, Any]:
        status = "not_covered"
        if unit.ends_on is not None:
            status = "covered" if unit.ends_on >= self.now().date() else "expired"
        starts_on = unit.starts_on.isoformat() if unit.starts_on else None
        ends_on = unit.ends_on.isoformat() if unit.ends_on else None
        covered = {"name": "Manufacturer's warranty", "starts_on": starts_on, "ends_on": ends_on}
        return {
            "serial": unit.serial,
            "product": unit.product,
            "status": status,
            "registered": unit.sold_on is not None,
            "sold_on": unit.sold_on.isoformat() if unit.sold_on else None,
            "reference": unit.reference,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "coverages": [covered] if ends_on else [],
        }
