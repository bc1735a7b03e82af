"""Page sizes that shrink where a remote needs too long for a whole page.

The jobs halve the pages of a stream whose calls time out. A connector that asks for its page size
by `page_size` follows; one that does not reads whole pages as ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

_divisor: ContextVar[int] = ContextVar("page_divisor", default=1)


@contextmanager
def smaller_pages(divisor: int) -> Iterator[None]:
    """Divide the page sizes that connectors ask for within the block."""
    before = _divisor.set(max(1, divisor))
    try:
        yield
    finally:
        with suppress(ValueError):  # a generator may be closed from another context
            _divisor.reset(before)


def page_size(usual: int) -> int:
    """Return how many items to ask for where `usual` is the connector's own page size; 1 at least.

    A cursor that counts pages or offsets of one size is of no use with another: keep the size in
    it, and start its window again where the size is another one (`TimeWindow` does).
    """
    return max(1, usual // _divisor.get())
