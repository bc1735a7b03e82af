"""A Shopify shop: orders, stock at one location, fulfillments and metafields over GraphQL."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from graphql import build_schema, graphql_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.shopify.simulator.desk import Desk
from connectors.shopify.simulator.resolvers import root_of
from connectors.testing.simulator import Fault, Webhook

SCHEMA = build_schema(files("connectors.shopify").joinpath("shopify.graphql").read_text())
POINTS_MAX, POINTS_PER_SECOND = 2000, 100


class ShopifySimulator(Desk):
    """One shop with one location, one access token and one webhook secret."""

    def __init__(
        self,
        access_token: str = "shpat_twin_access_token",
        webhook_secret: str = "twin-webhook-secret",
        location_id: str = "gid://shopify/Location/1",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.access_token = access_token
        self.webhook_secret = webhook_secret
        self.app_id = "twin-client-id"
        self.tokens_issued = 0
        routes = [
            Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
            Route("/bulk/{name}.jsonl", self._bulk_file, methods=["GET"]),
            Route("/admin/oauth/access_token", self._token, methods=["POST"]),
        ]
        super().__init__(routes, location_id, clock)

    def settings(self, url: str, **more: Any) -> dict[str, Any]:
        """Return the settings with which the connector `shopify` reaches this simulator."""
        return {
            "shop_url": url,
            "access_token": self.access_token,
            "webhook_secret": self.webhook_secret,
            "location_id": self.location_id,
            "bulk_poll_seconds": 0.01,
            "calls_per_second": 1000,
            **more,
        }

    def sign(self, webhook: Webhook) -> Mapping[str, str]:
        """Sign as Shopify does: base64 of HMAC-SHA256 over the raw body."""
        digest = hmac.new(self.webhook_secret.encode(), webhook.body, hashlib.sha256).digest()
        return {
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Topic": webhook.topic,
            "X-Shopify-Webhook-Id": webhook.id,
            "X-Shopify-Event-Id": f"evt-{webhook.id}",
            "X-Shopify-Shop-Domain": "twin.myshopify.com",
        }

    def fault_response(self, fault: Fault) -> Response:
        """Throttle as Shopify does: status 200, an error code and the state of the bucket."""
        if fault is not Fault.THROTTLED:
            return super().fault_response(fault)
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return JSONResponse({"errors": [error], "extensions": _cost(500, available=100)})

    def expire_token(self) -> None:
        """Let the access token run out before its time."""
        self.access_token = f"expired-{self.next_id()}"

    async def _token(self, request: Request) -> Response:
        """Give a token of 24 hours to the app that knows its secret (client credentials)."""
        form = dict(parse_qsl((await request.body()).decode()))
        known = (form.get("client_id"), form.get("client_secret"))
        if known != (self.app_id, self.webhook_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        self.tokens_issued += 1
        self.access_token = f"shpat-{self.next_id()}"
        return JSONResponse({"access_token": self.access_token, "expires_in": 86_399})

    async def _bulk_file(self, request: Request) -> Response:
        if request.headers.get("x-shopify-access-token"):
            return Response(status_code=400)  # a signed address takes no other credentials
        return Response(self.bulk.files[request.path_params["name"]])

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("x-shopify-access-token") != self.access_token:
            return JSONResponse({"errors": "[API] Invalid API key or access token"}, 401)
        asked = await request.json()
        base = f"{request.url.scheme}://{request.url.netloc}"
        root = root_of(self, base, lambda query, inner: graphql_sync(SCHEMA, query, inner))
        result = graphql_sync(SCHEMA, asked["query"], root, variable_values=asked.get("variables"))
        return JSONResponse({**result.formatted, "extensions": _cost(12, POINTS_MAX - 12)})


def _cost(requested: int, available: int) -> dict[str, Any]:
    status = {
        "maximumAvailable": POINTS_MAX,
        "currentlyAvailable": available,
        "restoreRate": POINTS_PER_SECOND,
    }
    return {
        "cost": {
            "requestedQueryCost": requested,
            "actualQueryCost": requested,
            "throttleStatus": status,
        }
    }
