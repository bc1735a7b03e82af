"""An API that announces its end: the headers in which it does.

``Sunset`` (RFC 8594) is a date, ``Deprecation`` (RFC 9745) an instant or, in its drafts, ``true``,
each with a ``Link`` to read on. Shopify names the reason in a header of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

SHOPIFY_REASON = "x-shopify-api-deprecated-reason"
HEADERS = ("sunset", "deprecation", SHOPIFY_REASON)
TEXT_CHARS_MAX = 300
_LINK = re.compile(r'<([^>]+)>\s*;[^,]*rel="?(?:sunset|deprecation)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Retirement:
    """What a response announces: the call, the headers, and the last day where it is named.

    `ends_on` is a date in ISO 8601; "" where none is named or it cannot be read.
    """

    call: str
    ends_on: str = ""
    said: Mapping[str, str] = field(default_factory=dict)


def retirement(response: httpx.Response) -> Retirement | None:
    """Return the announcement of a response, None where it makes none."""
    said = {name: response.headers[name] for name in HEADERS if response.headers.get(name)}
    if said.get("deprecation", "").strip().lower() in ("false", "?0"):
        del said["deprecation"]
    if not said:
        return None
    if link := _LINK.search(response.headers.get("link", "")):
        said["link"] = link[1]
    request = response.request
    return Retirement(
        call=f"{request.method} {request.url.path}"[:TEXT_CHARS_MAX],
        ends_on=_day(said.get("sunset", "")),
        said={name: value[:TEXT_CHARS_MAX] for name, value in said.items()},
    )


def _day(sunset: str) -> str:
    try:
        return parsedate_to_datetime(sunset).astimezone(UTC).date().isoformat()
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(sunset).date().isoformat()
    except ValueError:
        return ""
