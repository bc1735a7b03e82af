"""The gate: signing in with an API key, and out again."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hub.access.keys import Scope
from hub_api.console.client import Unanswered
from hub_api.console.rendering import Looks, guarded
from hub_api.console.session import HOME, local, note, read_form, value
from hub_api.http.access import Access

LOGIN = "/console/login"


def to_login(request: Request) -> Response:
    """Send somebody who is not signed in to the gate, and back afterwards."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    # What was posted is lost: the page that it was posted to can not be looked at.
    back = wanted if request.method in {"GET", "HEAD"} and wanted != HOME else None
    return RedirectResponse(LOGIN + (f"?{urlencode({'next': back})}" if back else ""), 303)


class Gate:
    """Lets people in who bring an API key with the scope ops."""

    def __init__(self, access: Access, looks: Looks) -> None:
        self._access = access
        self._looks = looks

    async def login(self, request: Request) -> Response:
        """Show the gate, or let somebody in."""
        if request.method == "POST":
            return guarded(await self._enter(request))
        target = local(request.query_params.get("next"))
        if await self._access.by_session(request) is not None:
            return guarded(RedirectResponse(target, 303))
        return guarded(self._page(request, target))

    async def logout(self, request: Request) -> Response:
        """Forget who was signed in."""
        try:
            await read_form(request)
        except Unanswered as refusal:
            return guarded(self._page(request, HOME, str(refusal), refusal.status))
        await self._access.end_session(request)
        note(request, "ok", "You are signed out.")
        return guarded(RedirectResponse(LOGIN, 303))

    async def _enter(self, request: Request) -> Response:
        try:
            form = await read_form(request)
        except Unanswered as refusal:
            return self._page(request, HOME, str(refusal), refusal.status)
        target = local(value(form, "next"))
        caller = await self._access.sign_in(request, value(form, "key"))
        if isinstance(caller, int):
            text = f"Too many attempts failed. The next one is looked at in {caller} seconds."
            page = self._page(request, target, text, 429)
            page.headers["retry-after"] = str(caller)
            return page
        if caller is None:
            text = "This key is not known here, or it was revoked."
            return self._page(request, target, text, 401)
        if not caller.may(Scope.OPS):
            text = (
                f"The key “{caller.name}” is valid, but the console needs the scope ops, "
                f"and this key has only: {', '.join(sorted(caller.scopes))}."
            )
            return self._page(request, target, text, 403)
        await self._access.begin_session(request, caller)
        return RedirectResponse(target, 303)

    def _page(
        self, request: Request, target: str, problem: str | None = None, status: int = 200
    ) -> Response:
        values = {"target": target, "problem": problem}
        return self._looks.page(request, "login.html", values, status=status)
