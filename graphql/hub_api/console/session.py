"""The console's sessions: forms, the token against forged ones, and messages for the next page."""

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from hub_api.console.client import Unanswered

HOME = "/console/"
FORM_BYTES_MAX = 64 * 1024
FIELDS_MAX = 300
#: The session travels in a cookie of at most 4 kB.
NOTES_MAX = 3
NOTE_CHARS_MAX = 400
_MEDIA = "application/x-www-form-urlencoded"

Form = Mapping[str, list[str]]


async def read_form(request: Request) -> Form:
    """Read a posted form and check its token; raise `Unanswered` for what is no form of ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA:
        raise Unanswered("This is not a form.", "BAD_REQUEST", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise Unanswered("This form is too large.", "BAD_REQUEST", 413)
    try:
        form = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Unanswered("This form can not be read.", "BAD_REQUEST", 400) from None
    known = request.session.get("csrf")
    given = value(form, "csrf")
    if not isinstance(known, str) or not secrets.compare_digest(known.encode(), given.encode()):
        raise Unanswered(
            "This form is no longer valid: nothing was done. Go back, reload the page, try again.",
            "FORM_EXPIRED",
            403,
        )
    return form


def value(form: Form, name: str) -> str:
    """Return one field of a form, without blanks around it; empty if it is not there."""
    return form.get(name, [""])[0].strip()


def token(request: Request) -> str:
    """Return the token that every form of this session carries."""
    known = request.session.get("csrf")
    if not isinstance(known, str):
        known = request.session["csrf"] = secrets.token_urlsafe(24)
    return known


def local(target: str | None, default: str = HOME) -> str:
    """Return a path of the console to go to; anything that leads elsewhere becomes `default`."""
    if not target or not target.startswith(HOME) or "\\" in target or not target.isprintable():
        return default
    parts = urlsplit(target)
    walked = ".." in parts.path or "//" in parts.path
    return default if parts.scheme or parts.netloc or walked else target


def note(request: Request, tone: str, text: str, code: str = "") -> None:
    """Leave a message for the next page."""
    notes = request.session.get("notes", [])
    entry = {"tone": tone, "text": text[:NOTE_CHARS_MAX], "code": code}
    request.session["notes"] = [*notes, entry][-NOTES_MAX:]


def take_notes(request: Request) -> list[dict[str, str]]:
    """Return the messages that were left, once."""
    notes: list[dict[str, str]] = request.session.pop("notes", [])
    return notes
