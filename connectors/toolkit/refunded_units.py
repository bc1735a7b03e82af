"""Refunds of units: which had left, and which never will.

Many channels state for a refund only how many units of a line it pays back. Those that had not left
are taken off what is to be sent and are no return; the others are a return. The oldest refunds are
taken to be of the units that had not left.
"""

from collections import Counter
from collections.abc import Mapping, Sequence


def units_that_left(
    refunds: Sequence[Mapping[str, int]], unsent: Mapping[str, int]
) -> list[dict[str, int]]:
    """Return of each refund, oldest first, the units by line that had left.

    `refunds` are the refunded units by line, `unsent` those of all refunds that had not left.
    """
    rest = Counter(unsent)
    left = []
    for refund in refunds:
        one = {}
        for ref, units in refund.items():
            here = min(units, rest[ref])
            rest[ref] -= here
            if units > here:
                one[ref] = units - here
        left.append(one)
    return left


def share(units: Mapping[str, int], available: Counter[str]) -> dict[str, int]:
    """Return by line how many of these units are available, and take them from `available`."""
    taken = {ref: min(count, available[ref]) for ref, count in units.items()}
    available.subtract(taken)
    return taken
