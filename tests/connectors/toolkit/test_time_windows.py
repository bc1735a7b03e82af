"""Numbered pages in fixed windows: nothing is skipped while the shop goes on."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connectors.toolkit.time_windows import TimeWindow

START = datetime(2026, 11, 1, tzinfo=UTC)
SIZE = 3


class Channel:
    """Orders by id with their times of change; pages by number, newest id first."""

    def __init__(self, count: int) -> None:
        self.now = START + timedelta(hours=2)
        self.orders = {n: START + timedelta(minutes=n) for n in range(count)}

    def page(self, window: TimeWindow) -> tuple[list[int], int]:
        since = window.since or START
        inside = [n for n, at in self.orders.items() if since <= at <= window.until]
        inside.sort(reverse=True)
        start = (window.number - 1) * SIZE
        return inside[start : start + SIZE], len(inside)


def read(channel: Channel, cursor: str, meanwhile: Callable[[int], None]) -> tuple[set[int], str]:
    seen, more, calls = set[int](), True, 0
    while more:
        window = TimeWindow.resume(cursor, channel.now)
        found, total = channel.page(window)
        seen |= set(found)
        window, more = window.step((channel.orders[n] for n in found), total, SIZE)
        cursor, calls = window.cursor(), calls + 1
        meanwhile(calls)
        assert calls < 100
    return seen, cursor


@pytest.mark.parametrize("moved", range(10))
def test_an_order_that_leaves_the_window_makes_no_other_be_skipped(moved: int) -> None:
    channel = Channel(10)

    def touch(call: int) -> None:
        if call == 2:
            channel.now += timedelta(minutes=30)
            channel.orders[moved] = channel.now

    seen, cursor = read(channel, "", touch)
    assert seen | {moved} == set(range(10))
    again, _ = read(channel, cursor, lambda _: None)
    assert moved in again


@pytest.mark.parametrize("late", [0.5, 4.5, 8.5])
def test_an_order_that_becomes_visible_late_begins_the_window_again(late: float) -> None:
    channel = Channel(10)

    def appear(call: int) -> None:
        if call == 3:
            channel.orders[100] = START + timedelta(minutes=late)

    seen, _ = read(channel, "", appear)
    assert seen == {*range(10), 100}


def test_one_page_is_read_once_and_an_empty_channel_stays_at_its_beginning() -> None:
    empty = TimeWindow.resume("", START)
    window, more = empty.step([], 0, SIZE)
    assert (window.since, more, window.cursor()) == (None, False, "{}")
    channel, calls = Channel(3), list[int]()
    seen, cursor = read(channel, "", calls.append)
    assert (seen, calls) == ({0, 1, 2}, [1])
    assert TimeWindow.resume(cursor, channel.now).since == START - timedelta(minutes=3)


def test_a_clock_of_ours_that_is_fast_loses_nothing() -> None:
    channel = Channel(2)
    channel.now += timedelta(days=1)
    _, cursor = read(channel, "", lambda _: None)
    channel.orders[2] = START + timedelta(minutes=2)
    seen, _ = read(channel, cursor, lambda _: None)
    assert 2 in seen


def test_a_window_of_other_pages_is_read_from_its_start_again() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    window, more = TimeWindow.resume("", now, 100).step((), 350, 100)
    assert (window.page, more) == (4, True)
    same = TimeWindow.resume(window.cursor(), now, 100)
    assert same.page == 4
    smaller = TimeWindow.resume(window.cursor(), now, 50)
    assert (smaller.page, smaller.until) == (0, window.until)
    again, _ = smaller.step((), 350, 50)
    assert again.page == 7
