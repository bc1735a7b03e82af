"""Apple Business API: what Apple says about the devices of one organization.

An application signs a client assertion with its private key (ES256) and buys an access token of an
hour with it. Devices that are not the organization's are unknown here, whatever their cover. One
call looks up one serial.

It cannot: look up devices of others (Apple's GSX is for its service providers), or register a sale.
Needs an API account of Apple Business, made by an Organization Administrator: its client id, the id
of the key, and the private key as a PEM file.
"""

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, field_validator

from connectors.contract import Connector, LookupWarranty
from connectors.errors import Unknown
from connectors.remote import Remote
from connectors.toolkit import warranty_status
from connectors.toolkit.bearer_auth import BearerTokenAuth
from connectors.toolkit.json_fields import child, text
from connectors.unreadable import UnreadableRecord
from hub.vocabulary import Coverage, Warranty, WarrantyQuestion

PAGES_MAX = 20
ASSERTION_SECONDS = 600
AUDIENCE = "https://account.apple.com/auth/oauth2/v2/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CHECK_PATH = "/v1/orgDevices"
IN_FORCE = "ACTIVE"


class AppleSettings(BaseModel):
    """One API account of an organization."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1, description="As in BUSINESSAPI.9703f56c-…")
    key_id: str = Field(min_length=1)
    private_key: SecretStr = Field(description="The PEM file of the API account, an EC P-256 key")
    scope: str = Field("business.api", pattern=r"^(business|school)\.api$")
    base_url: HttpUrl = HttpUrl("https://api-business.apple.com")
    token_url: HttpUrl = HttpUrl("https://account.apple.com/auth/oauth2/token")
    calls_per_second: float = Field(2.0, gt=0)

    @field_validator("private_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        try:
            _loaded(value.get_secret_value())
        except (ValueError, TypeError):
            raise ValueError("is no EC P-256 private key in PEM, without a password") from None
        return value


class Apple(Connector[AppleSettings], LookupWarranty):
    """One API account of an organization."""

    key: ClassVar[str] = "apple"
    settings_model: ClassVar[type[BaseModel]] = AppleSettings
    questions_max: ClassVar[int] = 25

    @classmethod
    def remote(cls, settings: AppleSettings) -> Remote:
        """Describe the API; the key never leaves the hub, what it signs does."""
        return Remote(
            base_url=str(settings.base_url).rstrip("/"),
            auth=assertion_auth(settings),
            calls_per_second=settings.calls_per_second,
        )

    async def check(self) -> None:
        """Read one device of the organization."""
        answer = await self.api.json("GET", CHECK_PATH, params={"limit": "1"})
        warranty_status.expect_object(answer, "orgDevices")

    async def lookup_warranty(
        self, questions: Sequence[WarrantyQuestion]
    ) -> Sequence[Warranty | UnreadableRecord]:
        """Ask about each serial; one that is not the organization's is unknown."""
        return [await self._lookup(each) for each in questions]

    async def _lookup(self, question: WarrantyQuestion) -> Warranty | UnreadableRecord:
        path = f"/v1/orgDevices/{quote(question.serial, safe='')}/appleCareCoverage"
        records: list[Mapping[str, Any]] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            params = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            response = await self.api.request("GET", path, params=params, accept=(404, 410))
            if response.status_code in (404, 410):
                return warranty_status.unknown_warranty(question)
            answer = _decoded(response)
            records += warranty_status.expect_list(answer.get("data"), "appleCareCoverage")
            cursor = _next_cursor(answer)
            if not cursor:
                return warranty_status.answered(question, records, _warranty)
        raise Unknown("appleCareCoverage: the pages do not end")


def _warranty(question: WarrantyQuestion, records: Sequence[Mapping[str, Any]]) -> Warranty:
    entitled, active = [], []
    for record in records:
        said = child(record, "attributes", required=True)
        cancelled = said.get("isCanceled") is True
        ended = warranty_status.day(said, "contractCancelDateTime") if cancelled else None
        cover = Coverage(
            name=text(said, "description"),
            starts_on=warranty_status.day(said, "startDateTime"),
            ends_on=ended or warranty_status.day(said, "endDateTime"),
        )
        entitled.append(cover)
        # A subscription has no last day: what Apple calls it decides.
        open_ended = cover.ends_on is None and said.get("status") == IN_FORCE
        active.append(
            open_ended or (cover.ends_on is not None and warranty_status.is_in_force(cover))
        )
    return warranty_status.warranty_from_coverages(question, entitled, said=any(active))


def _decoded(response: httpx.Response) -> Mapping[str, Any]:
    try:
        return warranty_status.expect_object(response.json(), "appleCareCoverage")
    except ValueError as error:
        raise Unknown("appleCareCoverage: the answer is not JSON") from error


def _next_cursor(answer: Mapping[str, Any]) -> str:
    found: Any = answer
    for step in ("meta", "paging", "nextCursor"):
        found = found.get(step) if isinstance(found, dict) else None
    return str(found or "")


def assertion_auth(
    settings: AppleSettings, clock: Callable[[], float] = time.time
) -> BearerTokenAuth:
    """Return the auth that buys tokens with a client assertion (RFC 7523)."""

    def ask() -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(settings, int(clock())),
            "scope": settings.scope,
        }
        return httpx.Request("POST", str(settings.token_url), data=form)

    return BearerTokenAuth(ask, "the client id, the key id or the private key is refused")


def assertion(settings: AppleSettings, now: int) -> str:
    """Sign who asks: a JSON Web Token with ES256 (RFC 7518, 3.4), good for ten minutes."""
    head = {"alg": "ES256", "kid": settings.key_id, "typ": "JWT"}
    claims = {
        "sub": settings.client_id,
        "iss": settings.client_id,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
        "jti": str(uuid.uuid4()),
    }
    signed = b".".join(_base64url(json.dumps(each).encode()) for each in (head, claims))
    key = _loaded(settings.private_key.get_secret_value())
    r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return b".".join((signed, _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()


def _loaded(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ValueError("not a P-256 key")
    return key


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
