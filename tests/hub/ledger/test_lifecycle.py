"""The table of what may follow what: every state and every action, looked at together."""

import itertools

import pytest

from hub.errors import Refused
from hub.lifecycle import LIFECYCLE, Action, Status, allowed, check, disposition
from hub.vocabulary import SELLABLE

STATES = list(itertools.product(Status, (False, True), (False, True)))


@pytest.mark.parametrize(("status", "promised", "blocked"), STATES)
def test_what_is_allowed_is_what_is_not_refused(
    status: Status, promised: bool, blocked: bool
) -> None:
    options = allowed(status, promised=promised, blocked=blocked)
    for action in LIFECYCLE:
        if action in options:
            check(action, status, promised=promised, blocked=blocked)
        else:
            with pytest.raises(Refused) as refused:
                check(action, status, promised=promised, blocked=blocked)
            assert refused.value.details["allowed"] == [str(each) for each in options]


def test_a_blocked_unit_never_leaves_the_house() -> None:
    for status in Status:
        options = allowed(status, promised=True, blocked=True)
        assert not {Action.SHIP, Action.SELL, Action.COLLECT, Action.PICK, Action.ALLOCATE} & set(
            options
        )


def test_a_unit_that_was_written_off_stays_so_until_it_is_received_again() -> None:
    ways = {
        each: LIFECYCLE[each].to
        for each in allowed(Status.WRITTEN_OFF, promised=False, blocked=False)
    }
    assert ways.pop(Action.RECEIVE) is Status.RECEIVED
    assert ways.pop(Action.MERGE) is Status.MERGED  # it was no unit of its own
    assert set(ways.values()) == {None}


def test_every_action_but_the_birth_and_the_correction_is_in_the_table() -> None:
    # A origin follows upon nothing; what a correction may do is decided by the whole history.
    assert set(Action) - set(LIFECYCLE) == {Action.COMMISSION, Action.CORRECT}


def test_only_a_free_unit_in_stock_is_sellable() -> None:
    for status, recalled, blocked in STATES:
        shown = disposition(status, "warehouse", blocked=blocked, recalled=recalled)
        free = status is Status.IN_STOCK and not blocked and not recalled
        assert (shown in SELLABLE) == free
