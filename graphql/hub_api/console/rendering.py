"""How pages look: the templates, what they may say in words, and the headers that guard them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, pass_context
from jinja2.runtime import Context as TemplateContext
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from hub_api.console import labels, presenters
from hub_api.console.session import take_notes, token

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


@cache
def _environment() -> Environment:
    """Build the environment of the templates: a process compiles each of them once."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": labels.number,
        "seconds": labels.age,
        "segment": lambda text: quote(text, safe=""),
        "ago": _ago,
        "day": lambda text: labels.moment(text).strftime("%-d %b %Y") if text else "",
        "stamp": lambda text: labels.moment(text).strftime("%-d %b %Y, %H:%M UTC"),
        "exact": labels.exact,
        "humane": labels.humane,
    }
    environment.globals |= {
        "word": labels.word,
        "tone": labels.tone,
        "words": labels,
        "readings": presenters,
        "asset": _asset,
    }
    return environment


class Looks:
    """Makes pages from templates."""

    def __init__(self) -> None:
        self._environment = _environment()

    def template(self, name: str) -> Template:
        """Return a template, for a page that is sent in parts."""
        return self._environment.get_template(name)

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        now: datetime | None = None,
        status: int = 200,
    ) -> Response:
        """Render a page; the messages that wait for it are shown once."""
        html = self._environment.get_template(template).render(
            now=now or datetime.now(UTC),
            path=request.url.path,
            query=request.query_params,
            csrf=token(request),
            notes=take_notes(request),
            **values,
        )
        return HTMLResponse(html, status_code=status)


def guarded(response: Response) -> Response:
    """Add the headers that keep a page to itself."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@pass_context
def _ago(context: TemplateContext, text: str | None, suffix: str = " ago") -> Markup:
    """Show a time as an age in words, with the exact time behind it."""
    if text is None:
        return Markup('<span class="quiet">never</span>')
    at = labels.moment(text)
    seconds = (context["now"] - at).total_seconds()
    shown = f"in {labels.age(-seconds)}" if seconds < -1 else labels.age(seconds) + suffix
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), labels.exact(text), shown
    )


_VERSIONS = {
    path.name: sha256(path.read_bytes()).hexdigest()[:12]
    for path in sorted(STATIC.iterdir())
    if path.is_file()
}


def _asset(name: str) -> str:
    return f"/console/static/{name}?v={_VERSIONS[name]}"


class _Files(StaticFiles):
    def file_response(
        self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        # A page names each file with the digest of its content.
        fresh = scope.get("query_string", b"").startswith(b"v=")
        lifetime = "max-age=31536000, immutable" if fresh else "no-cache"
        response.headers["cache-control"] = f"public, {lifetime}"
        return guarded(response)


def files() -> StaticFiles:
    """Return the application that serves the console's own files."""
    return _Files(directory=STATIC)
