"""Security events: one line of the log each, and counters by kind.

A line is ``security event=<kind> name=value …``, with values in quotes, so that it can be collected
without knowing this program. A flood of one kind is counted on, and shortened to some lines a
minute. `COUNTERS` counts since the process began; it is what a page of metrics shows.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

import orjson

logger = logging.getLogger("serial_hub.security")

LINES_PER_MINUTE = 100  # of one kind
VALUE_CHARS_MAX = 200


class SecurityEvent(StrEnum):
    """What happened."""

    FAILED_SIGN_IN = "failed_sign_in"
    SIGN_IN_LIMITED = "sign_in_limited"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    UNKNOWN_KEY = "unknown_key"
    REFUSED_ADDRESS = "refused_address"
    REFUSED_ORIGIN = "refused_origin"
    REFUSED_SCOPE = "refused_scope"
    RATE_LIMITED = "rate_limited"
    REJECTED_WEBHOOK = "rejected_webhook"


COUNTERS: Counter[SecurityEvent] = Counter(dict.fromkeys(SecurityEvent, 0))


class _Lines:
    """How many lines of each kind were written in the minute that runs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[SecurityEvent, tuple[float, int]] = {}

    def admit(self, event: SecurityEvent) -> int | None:
        """Return how many were left out before this line; None where it is left out, too."""
        began, count = self._written.get(event, (self._clock(), 0))
        left_out = 0
        if self._clock() - began >= 60:
            left_out, began, count = max(0, count - LINES_PER_MINUTE), self._clock(), 0
        self._written[event] = (began, count + 1)
        return left_out if count < LINES_PER_MINUTE else None


_lines = _Lines()


def note(event: SecurityEvent, **facts: object) -> None:
    """Count a security event and write its line; `facts` hold no secret."""
    COUNTERS[event] += 1
    left_out = _lines.admit(event)
    if left_out is None:
        return
    if left_out:
        facts["left_out"] = left_out
    told = " ".join(f"{name}={_quoted(value)}" for name, value in facts.items())
    logger.warning("security event=%s %s", event, told)


def _quoted(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return orjson.dumps(str(value)[:VALUE_CHARS_MAX]).decode()
