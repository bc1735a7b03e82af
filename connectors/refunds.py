"""Refunds that a channel is asked for: the capability, and what every connector checks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import ClassVar

from connectors.errors import Conflict, NotFound, Rejected
from hub.vocabulary import Refund


class RefundOrders(ABC):
    """The channel pays back what a buyer paid, with the means that the buyer paid with."""

    refunds_name_lines: ClassVar[bool] = True
    """Whether a refund names lines and their units; else it is an amount of the whole order."""

    recognizes_refunds: ClassVar[bool] = True
    """Whether a repeat is known by our reference or key; else by `refunded_before` alone, and a
    refund of the same amount that somebody made meanwhile is taken for ours."""

    refunds_are_returns: ClassVar[bool] = True
    """Whether a refund comes in among `pull_returns` too, under the reference of its answer."""

    @abstractmethod
    async def refund_order(self, refund: Refund) -> str:
        """Pay back; return the channel's reference of the refund, as `Return.refund_ref` has it.

        Never pays twice for one reference, also after a lost answer: by an idempotency key, or by
        looking for the reference first. Never pays more than is left of what was paid. Raises
        NotFound for an unknown order, Rejected where nothing is paid back.
        """


def require_left(refund: Refund, left: Decimal) -> None:
    """Refuse a refund of more than is left of what was paid; raises Rejected."""
    if refund.amount > left:
        raise Rejected(
            f"{refund.amount} {refund.currency} is more than the {left} that can still be paid back"
        )


def require_currency(refund: Refund, currency: str | None) -> None:
    """Refuse a refund in another currency than the order was paid in; raises Rejected."""
    if currency is not None and currency != refund.currency:
        raise Rejected(f"the order was paid in {currency}, not in {refund.currency}")


@contextmanager
def parts_of(refund: Refund, paid: Sequence[object]) -> Iterator[None]:
    """Pay one of several parts; once an earlier one is `paid`, a refusal is for a person.

    Raises Conflict in its place: something was paid, and a refusal would say that nothing was.
    """
    try:
        yield
    except (Rejected, NotFound) as error:
        if paid:
            raise Conflict(f"a part of {refund.amount} was paid back: {error}") from error
        raise


def marked(refund: Refund, chars_max: int = 200) -> str:
    """Return the reason with our reference behind it, by which a repeat finds the refund."""
    mark = f"[{refund.reference}]"
    reason = refund.reason[: max(0, chars_max - len(mark) - 1)].strip()
    return f"{reason} {mark}".strip()


def is_marked(refund: Refund, said: object) -> bool:
    """Return whether a reason or note that a channel keeps bears our reference."""
    return isinstance(said, str) and f"[{refund.reference}]" in said
