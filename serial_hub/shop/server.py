"""The shop's own server: its pages, and the payments that it alone confirms.

The payment provider is a stub: `POST /pay` takes the place of a provider's webhook, which in a real
shop states the amount that was paid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from hub.access.trusted_documents import sha256_of

HERE = Path(__file__).parent
DOCUMENTS = HERE / "documents"
TOKEN_CHARS_MAX = 200
CONFIRM = """mutation($key: String!, $token: String!) {
  done: confirmPayment(idempotencyKey: $key, token: $token) { __typename
    ... on Order { number } ... on Problem { code message } } }"""


@dataclass(slots=True, kw_only=True)
class ShopSettings:
    """Where the hub is, and the shop's two keys: one for its pages, one for its server.

    The keys are made for the origin of the shop, so they may be set once it is served.
    """

    hub_url: str
    publishable_key: str = ""
    server_key: str = field(default="", repr=False)


def documents() -> dict[str, str]:
    """Return the documents that the pages ask, by their names."""
    return {file.stem: file.read_text() for file in sorted(DOCUMENTS.glob("*.graphql"))}


def create_shop(settings: ShopSettings) -> Starlette:
    """Return the application of the shop."""

    async def configuration(_: Request) -> Response:
        texts = documents()
        return JSONResponse(
            {
                "hub": settings.hub_url,
                "key": settings.publishable_key,
                "documents": {
                    name: {"text": text, "sha256": sha256_of(text)} for name, text in texts.items()
                },
            }
        )

    async def pay(request: Request) -> Response:
        token = (await request.body())[:TOKEN_CHARS_MAX].decode("latin-1")
        return JSONResponse(await _confirm(settings, token))

    return Starlette(
        routes=[
            Route("/", lambda _: FileResponse(HERE / "static" / "index.html")),
            Route("/configuration.json", configuration),
            Route("/pay", pay, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]
    )


async def _confirm(settings: ShopSettings, token: str) -> Mapping[str, Any]:
    """Confirm a payment at the hub; return its answer."""
    async with httpx.AsyncClient(base_url=settings.hub_url) as http:
        answer = await http.post(
            "/graphql",
            json={"query": CONFIRM, "variables": {"key": token_hex(16), "token": token}},
            headers={"authorization": f"Bearer {settings.server_key}"},
        )
    done: Mapping[str, Any] = answer.json()["data"]["done"]
    return done
