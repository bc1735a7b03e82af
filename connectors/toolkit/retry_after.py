"""How long a remote that says ``Retry-After`` wants to be left alone."""

import math
import time
from email.utils import parsedate_to_datetime

RETRY_AFTER_SECONDS_MIN = 1.0
RETRY_AFTER_SECONDS_MAX = 86_400.0
RETRY_AFTER_SECONDS_DEFAULT = 60.0


def retry_after_seconds(value: str, now: float | None = None) -> float:
    """Read ``Retry-After`` in either of its two forms (RFC 9110), never below one second."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value).timestamp()
        except ValueError:
            return RETRY_AFTER_SECONDS_DEFAULT
        seconds = moment - (time.time() if now is None else now)
    if not math.isfinite(seconds):
        return RETRY_AFTER_SECONDS_DEFAULT
    return min(max(RETRY_AFTER_SECONDS_MIN, seconds), RETRY_AFTER_SECONDS_MAX)
