"""How eBay knows us: a user token of two hours, fetched with a refresh token that stays the same.

The token is kept in the store of the account, so that all processes share one. Post-Order is older
than the other APIs: it takes the same token under another scheme.
"""

import time
from collections.abc import Callable

import httpx

from connectors.toolkit.tokens import Token, TokenAuth, oauth

POST_ORDER = "/post-order/"
POST_ORDER_SCHEME = "IAF"


class RefreshTokenAuth(TokenAuth):
    """Send an access token that is fetched with a refresh token and the keys of the application."""

    def __init__(
        self,
        address: str,
        client: tuple[str, str],
        refresh_token: str,
        scopes: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        def form(_: Token | None) -> dict[str, str]:
            return {
                "grant_type": "refresh_token",
                "refresh_token": refresh_token,
                "scope": scopes,
            }

        super().__init__(oauth(address, form, basic=client, clock=clock), clock=clock)

    def _sign(self, request: httpx.Request, token: Token) -> None:
        super()._sign(request, token)
        if request.url.path.startswith(POST_ORDER):
            request.headers["Authorization"] = f"{POST_ORDER_SCHEME} {token.access}"
