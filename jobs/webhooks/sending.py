"""HTTP client for webhook addresses that users supply: public internet only.

The client resolves a host name once, checks all of its addresses and connects to a checked one,
with the name for TLS, so that DNS rebinding has no effect. It follows no redirects, ignores the
proxies of the environment, and reads only the beginning of an answer.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType

import httpx

from hub.webhooks.addresses import Address, is_public, literal_of
from hub.webhooks.messages import DeliveryAttempt
from jobs.egress import ADDRESSES_MAX, Resolve, resolved

SECONDS_MAX = 20.0  # of one attempt, from the look-up of the name to the answer
CONNECT_SECONDS_MAX = 4.0
ANSWER_BYTES_MAX = 4_096
TEXT_CHARS_MAX = 200
USER_AGENT = "serial-hub-webhooks/1"


class AddressRefused(Exception):
    """The address is not allowed. Next: it counts as a failed attempt."""


class Sender:
    """One client for all endpoints. `private` permits http and private networks."""

    def __init__(
        self,
        *,
        private: bool = False,
        resolve: Resolve = resolved,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._private = private
        self._resolve = resolve
        self._seconds_max = seconds_max
        self._client = httpx.AsyncClient(
            transport=transport,
            verify=verify,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(seconds_max, connect=CONNECT_SECONDS_MAX),
            limits=httpx.Limits(max_keepalive_connections=0),  # each try checks for itself
        )

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> DeliveryAttempt:
        """Post once and return the outcome; a failure is an outcome too, nothing is raised."""
        began = time.monotonic()
        status, text, retry_after = None, "", None
        try:
            async with asyncio.timeout(self._seconds_max):
                status, text, retry_after = await self._post(url, headers, body)
        except TimeoutError:
            text = f"no answer within {self._seconds_max:g} s"
        except AddressRefused as error:
            text = str(error)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
        took = round((time.monotonic() - began) * 1000)
        return DeliveryAttempt(status, " ".join(text.split())[:TEXT_CHARS_MAX], took, retry_after)

    async def _post(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, timedelta | None]:
        address = httpx.URL(url)
        if address.scheme != "https" and not (self._private and address.scheme == "http"):
            raise AddressRefused("a webhook goes to an https address")
        port = address.port or (443 if address.scheme == "https" else 80)
        found = await self._checked(address.host, port)
        response = await self._send(address, found, headers, body)
        try:
            head = await _head(response)
        finally:
            await response.aclose()
        text = head.decode("utf-8", "replace").replace("\x00", "")
        return response.status_code, text, _retry_after(response.headers.get("retry-after"))

    async def _send(
        self, address: httpx.URL, found: Sequence[Address], headers: Mapping[str, str], body: bytes
    ) -> httpx.Response:
        """Send to the first address that accepts a connection: some machines have no IPv6."""
        for number, to in enumerate(found, 1):
            request = self._client.build_request(
                "POST",
                address.copy_with(host=str(to)),
                content=body,
                headers={
                    **headers,
                    "host": address.netloc.decode("ascii"),
                    "content-type": "application/json",
                    "user-agent": USER_AGENT,
                    "accept-encoding": "identity",  # no decompression
                },
                extensions={"sni_hostname": address.host},
            )
            try:
                return await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if number == len(found):
                    raise
        raise AddressRefused("the name has no address")

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        """Resolve a host and return its addresses; raises AddressRefused if any is not public."""
        literal = literal_of(host)
        found = [literal] if literal is not None else list(await self._resolve(host, port))
        if not self._private and not all(is_public(each) for each in found):
            raise AddressRefused("the address is not of the public internet")
        return found[:ADDRESSES_MAX]


async def _head(response: httpx.Response) -> bytes:
    head = b""
    async for chunk in response.aiter_raw():
        head += chunk
        if len(head) >= ANSWER_BYTES_MAX:
            break
    return head[:ANSWER_BYTES_MAX]


def _retry_after(value: str | None) -> timedelta | None:
    """Parse ``Retry-After`` in either of its two forms (RFC 9110, section 10.2.3), else None."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return timedelta(seconds=int(value))
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(timedelta(), at - datetime.now(UTC))
