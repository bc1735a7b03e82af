"""Simulator of Apple Business: devices of one organization, behind signed requests."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.testing.manufacturer_simulator import CLIENT_ID, ManufacturerSimulator


class AppleSimulator(ManufacturerSimulator):
    """Apple Business: believes who signed with the key of the account; devices of one house."""

    token_path = "/auth/oauth2/token"
    page_records = 2

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.public = self.key.public_key()
        self.assertions: set[str] = set()
        routes = [
            Route("/v1/orgDevices", self._devices),
            Route("/v1/orgDevices/{serial}/appleCareCoverage", self._coverage),
        ]
        super().__init__(routes, clock)

    def settings(self, url: str) -> dict[str, Any]:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "client_id": f"BUSINESSAPI.{CLIENT_ID}",
            "key_id": "twin-key",
            "private_key": pem.decode(),
            "base_url": url,
            "token_url": f"{url}{self.token_path}",
            "calls_per_second": 1000,
        }

    def revoke(self) -> None:
        """Believe another key from now on, and no token that was given."""
        self.public = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.expire_tokens()

    def knows(self, request: Request, form: Mapping[str, str]) -> bool:
        try:
            head, claims, signature = form["client_assertion"].split(".")
            raw = _unbase64(signature)
            der = utils.encode_dss_signature(
                int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            )
            self.public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
            said, known = json.loads(_unbase64(claims)), json.loads(_unbase64(head))
        except (KeyError, ValueError, InvalidSignature):
            return False
        right = (
            len(raw) == 64
            and known == {"alg": "ES256", "kid": "twin-key", "typ": "JWT"}
            and said["aud"] == "https://account.apple.com/auth/oauth2/v2/token"
            and said["iss"] == said["sub"] == form["client_id"] == f"BUSINESSAPI.{CLIENT_ID}"
            and 0 < said["exp"] - said["iat"] <= 180 * 86_400
            and form["scope"] == "business.api"
            and form["client_assertion_type"].endswith(":jwt-bearer")
            and said["jti"] not in self.assertions
        )
        self.assertions.add(said["jti"])
        return right

    async def _devices(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        shown = [{"type": "orgDevices", "id": unit.serial} for unit in self.units[:1]]
        return JSONResponse({"data": shown, "meta": {"paging": {"limit": 1}}})

    async def _coverage(self, request: Request) -> Response:
        if (refused := self.refuse(request)) is not None:
            return refused
        found = self.of(request.path_params["serial"])
        if not found:
            error = {"status": "404", "code": "NOT_FOUND", "title": "no such device"}
            return JSONResponse({"errors": [error]}, status_code=404)
        start = int(request.query_params.get("cursor") or 0)
        some = found[0].covers[start : start + self.page_records]
        more = start + self.page_records < len(found[0].covers)
        cursor = {"nextCursor": str(start + self.page_records)} if more else {}
        today = self.now().date()
        return JSONResponse(
            {
                "data": [
                    {
                        "type": "appleCareCoverage",
                        "id": f"{cover.name}-{number}",
                        "attributes": {
                            "description": cover.name,
                            "status": "ACTIVE"
                            if cover.starts_on <= today <= (cover.ends_on or today)
                            else "INACTIVE",
                            "startDateTime": f"{cover.starts_on}T00:00:00Z",
                            "endDateTime": f"{cover.ends_on}T00:00:00Z" if cover.ends_on else None,
                            "isCanceled": False,
                            "isRenewable": cover.ends_on is None,
                            "contractCancelDateTime": None,
                            "agreementNumber": None,
                            "paymentType": "NONE",
                        },
                    }
                    for number, cover in enumerate(some, start)
                ],
                "meta": {"paging": {"limit": 100, **cursor}},
            }
        )


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
