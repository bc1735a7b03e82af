"""Somebody with a browser, for the tests of the console."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx

from browser.console_shop import Shop

Visit = Callable[["Visitor"], Awaitable[None]]


class Visitor:
    """Somebody with a browser: follows no redirect by itself, keeps its cookie."""

    def __init__(self, client: httpx.AsyncClient, shop: Shop) -> None:
        self.client, self.shop = client, shop

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(f"/console{path}")
        assert answer.status_code == status, answer.text[:2_000]
        return answer.text

    async def token(self, path: str = "/cases") -> str:
        found = re.search('name="csrf" value="([^"]+)"', (await self.get(path)))
        assert found is not None
        return found[1]

    async def sign_in(self, scope: str = "ops", target: str = "/console/") -> httpx.Response:
        form = {
            "csrf": await self.token("/login"),
            "key": self.shop.secrets[scope],
            "next": target,
        }
        return await self.client.post("/console/login", data=form)

    async def post(self, path: str, **form: object) -> str:
        """Post a form as a page would, and return the page that follows."""
        answer = await self.client.post(
            f"/console{path}", data={"csrf": await self.token(), **form}
        )
        assert answer.status_code == 303, answer.text[:2_000]
        return (await self.client.get(answer.headers["location"])).text


def visit(shop: Shop, work: Visit, *, signed_in: bool = True) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(shop.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            visitor = Visitor(client, shop)
            if signed_in:
                await visitor.sign_in()
            await work(visitor)

    asyncio.run(main())


def text_of(page: str) -> str:
    """Return what a page says, without its marks."""
    return " ".join(re.sub("<[^>]+>", " ", page).split())
