"""HTTP status to connector error: the one table that every call follows.

| status | error |
|---|---|
| 429 | RateLimited, with the wait of ``Retry-After`` |
| 3xx | Moved, which names the target |
| 401, 403 | AuthFailed; Transient where a wall stands before the API (`wall`) |
| 404, 410 | NotFound |
| 409, 412 | Conflict |
| 408, 425, 5xx | Transient |
| any other | Rejected: an unknown 4xx is never retried |
"""

import httpx

from connectors.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    Moved,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
)
from connectors.toolkit.retry_after import retry_after_seconds

TOO_LONG = frozenset({408, 504, 524})  # 524 is Cloudflare's
CHALLENGES = ("cf-mitigated", "x-amzn-waf-action")
HTML_STARTS = ("<!doctype html", "<html")
PARTS_OF_PAGES = ("<!--", "<head", "<body", "<title", "<center", "<h1")
START_CHARS = 200  # of a body, in which the start of a page is looked for


def wall(response: httpx.Response) -> bool:
    """Return whether a bot wall or a proxy answered instead of the API.

    It challenges by a header of its own (Cloudflare's ``cf-mitigated``, AWS's
    ``x-amzn-waf-action``), or answers 401 or 403 with a page for browsers. A 401 with
    ``WWW-Authenticate`` asks for credentials (RFC 9110, 11.6.1), whatever its page looks like.
    """
    if any(response.headers.get(name) for name in CHALLENGES):
        return True
    if response.status_code == 401 and "www-authenticate" in response.headers:
        return False
    return response.status_code in (401, 403) and _is_page(response)


def _is_page(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = response.text[:START_CHARS].lstrip().lower()
    if start.startswith(HTML_STARTS):
        return True
    # The type alone proves nothing: some servers call all that they answer text/html.
    return kind == "text/html" and (not start or start.startswith(PARTS_OF_PAGES))


def target_of(response: httpx.Response) -> httpx.URL | None:
    """Return where a redirect leads; None where it is none, or names no address."""
    location = response.headers.get("location", "")
    if not 300 <= response.status_code < 400 or not location:
        return None
    try:
        return response.request.url.join(location)
    except httpx.InvalidURL:
        return None


def status_error(response: httpx.Response, message: str, details: str = "") -> ConnectorError:
    """Return the error that a response of no success stands for.

    `message` names the call and its status. `details` adds what the remote says; it is used only
    for the errors that a person reads about one listing or order: NotFound, Conflict, Rejected.
    """
    status = response.status_code
    if wall(response):
        return Transient(f"{message}: a page for browsers stands before the API")
    if (target := target_of(response)) is not None:
        shown = str(target.copy_with(query=None, fragment=None))
        return Moved(f"{message}: moved to {shown}", shown)
    if status == 429:
        return RateLimited(message, retry_after_seconds(response.headers.get("retry-after", "")))
    if status in (401, 403):
        return AuthFailed(message)
    if status in (408, 425) or status >= 500:
        return Transient(message, timed_out=status in TOO_LONG)
    if status in (404, 410):
        return NotFound(details or message)
    if status in (409, 412):
        return Conflict(details or message)
    return Rejected(details or message)
