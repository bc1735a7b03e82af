"""Paging by time: no order is skipped, whatever moves and however many share a second."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.toolkit.keyset_pages import KeysetPosition

START = datetime(2026, 11, 1, tzinfo=UTC)
SIZE = 3


def page(times: dict[int, datetime], place: KeysetPosition) -> list[int]:
    inside = sorted((at, n) for n, at in times.items() if at >= place.since)
    return [n for _, n in inside[place.skip : place.skip + SIZE]]


@pytest.mark.parametrize("step", [0, 1, 20])
@pytest.mark.parametrize("moved", [None, 0, 2, 4, 9])
def test_every_order_is_seen(step: int, moved: int | None) -> None:
    times = {n: START + timedelta(seconds=n * step) for n in range(10)}
    seen, after, calls = set[int](), None, 0
    while calls == 0 or after is not None:
        place = KeysetPosition.resume(after, START)
        found = page(times, place)
        seen |= set(found)
        newest = max((times[n] for n in found), default=None)
        after, calls = place.following(newest, len(found), SIZE), calls + 1
        if calls == 1 and moved is not None and step:
            times[moved] = START + timedelta(hours=1)
        assert calls < 20
    assert seen == set(range(10))


def test_a_page_that_is_not_full_is_the_last() -> None:
    assert KeysetPosition(START).following(START, 2, SIZE) is None
    assert KeysetPosition(START).following(None, 0, SIZE) is None
    after = KeysetPosition(START, 3).following(START, 3, SIZE)
    assert KeysetPosition.resume(after, START) == KeysetPosition(START, 6)
