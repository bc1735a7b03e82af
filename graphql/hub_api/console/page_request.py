"""A visit: one request of somebody who is signed in, and what a page may do with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.access.keys import Scope
from hub_api.common.context import Context
from hub_api.console.client import Answer, Client, Unanswered
from hub_api.console.rendering import Looks
from hub_api.console.session import local, note

TITLES = {403: "This is not for you", 404: "There is nothing here", 429: "Too much at once"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in."""

    request: Request
    context: Context
    client: Client
    looks: Looks

    @property
    def now(self) -> datetime:
        """Return the present, by the clock of the hub."""
        return self.context.clock()

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def given(self, *names: str) -> dict[str, str | None]:
        """Return parameters of the query by name; None for those not given."""
        return {name: self.request.query_params.get(name, "").strip() or None for name in names}

    async def ask(self, name: str, **variables: Any) -> Answer:
        """Ask an operation of the console."""
        return await self.client.ask(self.context, name, variables)

    def show(
        self, template: str, values: Mapping[str, Any], *, status: int = 200, **more: Any
    ) -> Response:
        """Show a page."""
        filled = {
            **values,
            **more,
            "me": self.context.caller,
            "may_administer": self.context.caller.may(Scope.ADMIN),
            "next_page": self._next_page,
            "first_page": self._first_page,
        }
        return self.looks.page(self.request, template, filled, now=self.now, status=status)

    def problem(self, refusal: Unanswered) -> Response:
        """Show what the API refused, in its own words."""
        title = TITLES.get(refusal.status, "This did not work")
        return self.show(
            "problem.html", {}, status=refusal.status, title=title, message=str(refusal),
            code=refusal.code,
        )  # fmt: skip

    def back(self, target: str, tone: str, text: str, code: str = "") -> Response:
        """Leave a message and go to a page of the console."""
        note(self.request, tone, text, code)
        return RedirectResponse(local(target), 303)

    def _next_page(self, cursor: str) -> str:
        return "?" + urlencode({**self.request.query_params, "after": cursor})

    def _first_page(self) -> str:
        kept = {name: each for name, each in self.request.query_params.items() if name != "after"}
        return f"{self.request.url.path}?{urlencode(kept)}"
