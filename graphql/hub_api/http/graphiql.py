"""GraphiQL, the page for asking by hand, from our own files: no request leaves the house.

The page has no inline script. Its policy lets it load scripts of this origin only, and talk to
this origin only; the API key typed into it lives in the tab's session storage.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path

import orjson
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from hub_api.engine.wire import HTML, Reply

FILES = Path(__file__).parent / "static" / "graphiql"
STYLES = ("graphiql-3.8.3.min.css", "explorer-1.0.2.css", "page.css")
SCRIPTS = (
    "react-18.2.0.min.js",
    "react-dom-18.2.0.min.js",
    "js-cookie-3.0.5.min.js",
    "graphiql-3.8.3.min.js",
    "explorer-1.0.2.umd.js",
    "boot.js",
)
#: More tabs than this nobody finds anything in.
EXAMPLES_MAX = 12

# The editor writes style attributes into the page, hence the one 'unsafe-inline'.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


class GraphiQL:
    """The page, with one tab for each example operation.

    `examples` is text by name, as `documents.read_documents` returns it; a line
    ``# variables: {…}`` of a text fills the tab's variables. `static_path` is where the
    application serves `files()`.
    """

    def __init__(
        self,
        examples: Mapping[str, str] | None = None,
        *,
        static_path: str = "/static/graphiql",
        title: str = "Serial Hub GraphiQL",
    ) -> None:
        self._examples = dict(list((examples or {}).items())[:EXAMPLES_MAX])
        self._static_path = static_path.rstrip("/")
        self._title = title

    def page(self) -> Reply:
        """Return the page; it is the same for everybody and holds no secret."""
        return self._page

    @cached_property
    def _page(self) -> Reply:
        headers = (
            (b"content-security-policy", POLICY.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
            (b"cache-control", b"no-cache"),
            (b"vary", b"Accept"),
        )
        return Reply(200, HTML, self._html().encode(), headers)

    def _html(self) -> str:
        styles = "\n".join(
            f'    <link rel="stylesheet" href="{escape(self._static_path)}/{name}">'
            for name in STYLES
        )
        scripts = "\n".join(
            f'    <script src="{escape(self._static_path)}/{name}"></script>' for name in SCRIPTS
        )
        examples = [
            {"name": name, "query": text, "variables": _variables(text)}
            for name, text in self._examples.items()
        ]
        # A data block, never run as a script; only its end must not be written into it.
        data = orjson.dumps({"examples": examples}).decode().replace("<", "\\u003c")
        return f"""<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{escape(self._title)}</title>
    <link rel="icon" href="data:,">
{styles}
  </head>
  <body>
    <form id="key-form">
      <label for="key">API key</label>
      <input id="key" type="password" autocomplete="off" spellcheck="false">
      <button type="submit">Use</button>
      <button type="button" id="forget">Forget</button>
      <output id="key-state"></output>
    </form>
    <div id="graphiql">Loading…</div>
    <script type="application/json" id="settings">{data}</script>
{scripts}
  </body>
</html>
"""


_VARIABLES = re.compile(r"^# variables: (\{.*\})$", re.MULTILINE)


def _variables(text: str) -> str | None:
    """Return the variables that an example brings along, written to be read."""
    found = _VARIABLES.search(text)
    if found is None:
        return None
    return orjson.dumps(orjson.loads(found[1]), option=orjson.OPT_INDENT_2).decode()


class _Files(StaticFiles):
    def file_response(
        self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        # Their names carry versions, ours do not.
        versioned = any(character.isdigit() for character in Path(str(full_path)).name)
        lifetime = "max-age=31536000, immutable" if versioned else "no-cache"
        response.headers["cache-control"] = f"public, {lifetime}"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def files() -> StaticFiles:
    """Return the application that serves scripts and styles; mount it at `static_path`."""
    return _Files(directory=FILES)
