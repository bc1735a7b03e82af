"""How a WooCommerce shop without TLS knows us: OAuth 1.0a with one leg (RFC 5849, HMAC-SHA256)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Generator, Iterable
from urllib.parse import quote

import httpx


class OneLeggedOAuth(httpx.Auth):
    """Sign the method, the address and the query of each request; the secret never travels."""

    def __init__(
        self, consumer_key: str, consumer_secret: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = consumer_key
        self._secret = consumer_secret
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the parameters and the signature to the query, as WooCommerce documents it."""
        expect_object = {
            "oauth_consumer_key": self._key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(self._clock())),
        }
        signed = [*request.url.params.multi_items(), *expect_object.items()]
        address = str(request.url.copy_with(query=None, fragment=None))
        text = base_string(request.method, address, signed)
        digest = hmac.new(f"{self._secret}&".encode(), text.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(digest).decode()
        request.url = request.url.copy_merge_params({**expect_object, "oauth_signature": signature})
        yield request


def base_string(method: str, address: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Put together what is signed (RFC 5849, 3.4.1)."""
    pairs = sorted((_encode(name), _encode(value)) for name, value in parameters)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), _encode(address), _encode(query)))


def _encode(text: str) -> str:
    return quote(text, safe="-._~")
