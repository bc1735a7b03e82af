"""How eBay knows us: a user token of two hours, bought with a refresh token that stays the same."""

import time
from collections.abc import Callable

import httpx

from connectors.toolkit.bearer_auth import BearerTokenAuth


class RefreshTokenAuth(BearerTokenAuth):
    """Send a bearer token that is bought with a refresh token and the keys of the application."""

    def __init__(
        self,
        address: str,
        client: tuple[str, str],
        refresh_token: str,
        scopes: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "scope": scopes,
        }
        basic = httpx.BasicAuth(*client)

        def ask() -> httpx.Request:
            return next(basic.auth_flow(httpx.Request("POST", address, data=form)))

        refused = "the refresh token or the keys of the application are refused"
        super().__init__(ask, refused, clock)
