"""HTTP status to connector error: the one table that every call follows.

| status | error |
|---|---|
| 429 | RateLimited, with the wait of ``Retry-After`` |
| 401, 403 | AuthFailed |
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
    NotFound,
    RateLimited,
    Rejected,
    Transient,
)
from connectors.toolkit.retry_after import retry_after_seconds


def status_error(response: httpx.Response, message: str, details: str = "") -> ConnectorError:
    """Return the error that a response of no success stands for.

    `message` names the call and its status. `details` adds what the remote says; it is used only
    for the errors that a person reads about one listing or order: NotFound, Conflict, Rejected.
    """
    status = response.status_code
    if status == 429:
        return RateLimited(message, retry_after_seconds(response.headers.get("retry-after", "")))
    if status in (401, 403):
        return AuthFailed(message)
    if status in (408, 425) or status >= 500:
        return Transient(message)
    if status in (404, 410):
        return NotFound(details or message)
    if status in (409, 412):
        return Conflict(details or message)
    return Rejected(details or message)
