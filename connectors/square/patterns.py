"""Regular expressions from settings, matched in time linear in the text (RE2)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol, cast

import re2

PATTERN_BYTES_MAX = 1024 * 1024  # of one compiled expression, with what its matching remembers


class PatternRefused(ValueError):
    """RE2 does not take the expression. Next: the settings are refused."""


class Match(Protocol):
    """One place where an expression matched."""

    def start(self) -> int:
        """Return where it begins."""

    def end(self) -> int:
        """Return where it ends."""


class Pattern(Protocol):
    """A compiled expression."""

    def finditer(self, text: str) -> Iterator[Match]:
        """Yield every match, from left to right."""


@lru_cache(200)
def compiled(text: str) -> Pattern:
    """Compile an expression; raises PatternRefused.

    It has no back-references and no look-around, and repeats a part at most 1,000 times.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_BYTES_MAX
    try:
        return cast("Pattern", re2.compile(text, options))
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        words = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternRefused(words) from error
