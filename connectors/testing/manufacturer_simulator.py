"""Base of the simulators of manufacturers' warranty services: Dell, Lenovo, HP, Cisco, Apple.

Each knows the units that were added, has its own request format and limits, and issues tokens that
expire. None of them registers a sale.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.simulator import Simulator

TOKEN_SECONDS = 3_600
CLIENT_ID, CLIENT_SECRET = "twin-application", "twin-client-secret"


@dataclass(frozen=True, slots=True)
class Cover:
    """One coverage of one unit."""

    name: str
    starts_on: date
    ends_on: date | None
    code: str = "ND"


@dataclass(slots=True)
class ManufacturedUnit:
    """One unit that a manufacturer knows."""

    serial: str
    product: str
    covers: list[Cover]


class ManufacturerSimulator(Simulator):
    """Units, and tokens that are issued for an hour."""

    token_path = ""

    def __init__(
        self, routes: Sequence[Route], clock: Callable[[], datetime] | None = None
    ) -> None:
        self.secret = CLIENT_SECRET
        self.units: list[ManufacturedUnit] = []
        self.tokens: dict[str, datetime] = {}
        tokens = [Route(self.token_path, self._give, methods=["POST"])] if self.token_path else []
        super().__init__([*tokens, *routes], clock)

    def settings(self, url: str) -> dict[str, Any]:
        """Return the settings with which the connector reaches this simulator."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "base_url": url,
            "calls_per_second": 1000,
        }

    def add_unit(self, serial: str, product: str, covers: Sequence[Cover] = ()) -> None:
        """Add a unit."""
        self.units.append(ManufacturedUnit(serial, product, list(covers)))

    def of(self, serial: str, product: str | None = None) -> list[ManufacturedUnit]:
        """Return the units of a serial, of one product or of all."""
        return [
            unit
            for unit in self.units
            if unit.serial.casefold() == serial.casefold() and product in (None, unit.product)
        ]

    def expire_tokens(self) -> None:
        """Expire all tokens."""
        for token in self.tokens:
            self.tokens[token] = self.now() - timedelta(seconds=1)

    async def _give(self, request: Request) -> Response:
        form = {name: each[0] for name, each in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        if not self.knows(request, form):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        token = f"twin-token-{self.next_id()}"
        self.tokens[token] = self.now() + timedelta(seconds=TOKEN_SECONDS)
        return JSONResponse(
            {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        )

    def knows(self, request: Request, form: Mapping[str, str]) -> bool:
        """Return whether a token request comes from our application."""
        head = request.headers.get("authorization", "").removeprefix("Basic ")
        if head:
            return base64.b64decode(head).decode() == f"{CLIENT_ID}:{self.secret}"
        return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, self.secret)

    def refuse(self, request: Request) -> Response | None:
        """Return a refusal for a request without a valid token, else None."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.tokens and self.tokens[token] > self.now():
            return None
        return JSONResponse({"error": "invalid_token"}, status_code=401)
