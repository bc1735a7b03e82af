"""The custody certificate as a page: to be printed, kept as a file, and verified from the file.

The page needs nothing beside itself. It carries the record that it shows, so that whoever has the
file has the proof; what it shows is made anew from the record when the file is verified.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from hub.clock import moment
from hub_api.console import labels
from hub_api.console.page_request import Visit
from hub_api.console.rendering import STATIC, TEMPLATES

_STYLE = (STATIC / "certificate.css").read_text().strip()
_STYLE_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
# The page brings its own style and nothing else; the record in it is data that is never run.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_OPENS, _CLOSES = '<script type="application/json" id="certificate">', "</script>"

_environment = Environment(
    loader=FileSystemLoader([TEMPLATES, STATIC]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["stamp"] = lambda text: labels.exact(text)
_environment.globals["word"] = labels.word


def page(certificate: Mapping[str, Any]) -> str:
    """Return a certificate as a page; the same certificate always gives the same page."""
    return _environment.get_template("certificate.html").render(
        certificate=certificate,
        unit=certificate["unit"],
        issued_at=certificate["issued_at"],
        events=[
            event
            | {"occurred": _stamp(event["occurred_at"]), "recorded": _stamp(event["recorded_at"])}
            for event in certificate["events"]
        ],
        unsigned=sum(event["proof"] is None for event in certificate["events"]),
        checkpoints=[row | {"made": _stamp(row["made_at"])} for row in certificate["checkpoints"]],
        format=certificate["format"],
        public_key=certificate["public_key"],
        signature=certificate["signature"],
    )


def read(text: str) -> tuple[dict[str, Any], list[str]]:
    """Read a certificate from a file, JSON or page, and say what is wrong with the page.

    Raises ValueError for what is neither.
    """
    if not text.lstrip().startswith("<"):
        return _record(text), []
    _, found, rest = text.partition(_OPENS)
    if not found:
        raise ValueError("the page has no certificate in it")
    certificate = _record(rest.partition(_CLOSES)[0])
    try:
        is_same = page(certificate) == text
    except (KeyError, TypeError, ValueError, AttributeError):
        is_same = False
    wrong = "what the page shows is not what its record says, or another version made it"
    return certificate, [] if is_same else [wrong]


def _record(text: str) -> dict[str, Any]:
    """Parse a certificate; a name that is there twice would show one value and prove another."""
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError("this is no certificate: it is nested too deeply") from error
    if not isinstance(found, dict):
        raise TypeError("a certificate is a JSON object")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is stated twice")
    return found


async def show(visit: Visit) -> Response:
    """Answer the page of one unit."""
    answer = await visit.ask("certificate", id=visit.part("id"))
    html = page(answer.data["custodyCertificate"])
    return HTMLResponse(html, headers={"content-security-policy": POLICY})


def _stamp(micros: int) -> str:
    return f"{moment(micros):%Y-%m-%d %H:%M:%S}"
