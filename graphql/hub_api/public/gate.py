"""The gate of publishable keys: the documents and fields that they may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable

from hub.access import trusted_documents
from hub_api.common.context import Context
from hub_api.public.fields import COORDINATES

KNOWN_MAX = 1_000  # hashes that one process remembers
SECONDS_KNOWN = 15.0  # a removed document is refused by every process after them


class PublicGate:
    """Holds callers with a publishable key to trusted documents over public fields."""

    fields = COORDINATES

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def holds(self, context: Context) -> bool:
        """Return whether the caller is held to the public part."""
        return context.caller.is_publishable

    async def text(self, context: Context, sha256: str) -> str | None:
        """Return the trusted document of a hash; None if it is not trusted.

        What is not trusted is looked up each time: it may be pushed at any moment.
        """
        known = self._known.get(sha256)
        if known is not None and known[1] > self._clock():
            return known[0]
        text = await context.read(lambda tx: trusted_documents.text_of(tx, sha256))
        if text is not None:
            self._known[sha256] = (text, self._clock() + SECONDS_KNOWN)
            self._known.move_to_end(sha256)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return text
