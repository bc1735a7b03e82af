"""A pass never skips an order, whatever the channel does meanwhile."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from connectors.toolkit.cursors import OVERLAP, IncrementalCursor, moment, stamp

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Channel:
    """Lists orders by time of change, behind a cursor of (time, id); some show up late."""

    page_size: int
    now: datetime = START
    changed: dict[int, tuple[datetime, datetime]] = field(default_factory=dict)
    reads: int = 0

    def change(self, order: int, late: timedelta = timedelta()) -> None:
        self.changed[order] = (self.now, self.now + late)

    def page(
        self, since: datetime | None, after: str | None
    ) -> tuple[list[tuple[datetime, int]], str | None]:
        self.reads += 1
        visible = sorted(
            (at, order)
            for order, (at, shows) in self.changed.items()
            if shows <= self.now and (since is None or at >= since)
        )
        behind = [each for each in visible if after is None or _key(each) > after]
        rows = behind[: self.page_size]
        return rows, _key(rows[-1]) if len(behind) > self.page_size else None


def _key(row: tuple[datetime, int]) -> str:
    return f"{row[0].timestamp():020.6f}|{row[1]:06}"


def pull(channel: Channel, cursor: str, clock: datetime) -> tuple[list[int], str, bool]:
    position = IncrementalCursor.resume(cursor, clock)
    rows, after = channel.page(position.since, position.after)
    position, more = position.step(max((at for at, _ in rows), default=None), after)
    return [order for _, order in rows], position.cursor(), more


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("skew", [timedelta(0), timedelta(seconds=-40), timedelta(days=-400)])
def test_every_change_is_seen_though_orders_move_and_show_up_late(
    seed: int, skew: timedelta
) -> None:
    random = Random(seed)
    channel = Channel(page_size=random.choice([2, 3, 7]))
    cursor, seen = "", dict[int, datetime]()

    def poll() -> None:
        nonlocal cursor
        more, pages = True, 0
        while more and pages < 30:
            orders, cursor, more = pull(channel, cursor, channel.now + skew)
            pages += 1
            for order in orders:
                seen[order] = channel.changed[order][0]
            for _ in range(random.randint(0, 1)):
                channel.now += timedelta(milliseconds=random.randint(0, 900))
                channel.change(random.randint(1, 40), timedelta(seconds=random.choice([0, 0, 90])))

    for _ in range(40):
        channel.now += timedelta(seconds=random.choice([0, 1, 20, 200]))
        channel.change(random.randint(1, 60), timedelta(seconds=random.choice([0, 0, 30, 200])))
        poll()
    channel.now += timedelta(minutes=10)
    for _ in range(2):  # the first may only end a pass that began before the last changes
        more, pages = True, 0
        while more:
            orders, cursor, more = pull(channel, cursor, channel.now + skew)
            pages += 1
            assert pages < 500, "a walk ends"
            seen |= {order: channel.changed[order][0] for order in orders}
    assert seen == {order: at for order, (at, _) in channel.changed.items()}


def test_a_backlog_is_read_about_once() -> None:
    channel = Channel(page_size=10)
    for order in range(1000):
        channel.now += timedelta(minutes=1)
        channel.change(order)
    cursor, more, seen = "", True, list[int]()
    while more:
        orders, cursor, more = pull(channel, cursor, channel.now)
        seen += orders
    assert set(seen) == set(range(1000))
    assert channel.reads <= 110
    orders, cursor, more = pull(channel, cursor, channel.now)
    assert (len(orders), more) == (OVERLAP // timedelta(minutes=1) + 1, False)


def test_a_busy_channel_cannot_keep_a_walk_from_ending() -> None:
    channel = Channel(page_size=3)
    cursor, began = "", channel.now
    for order in range(1200):
        channel.now += timedelta(seconds=1)
        channel.change(order)
        _, cursor, _ = pull(channel, cursor, channel.now)
    position = IncrementalCursor.resume(cursor, channel.now)
    assert position.since is not None
    assert position.since > began + timedelta(minutes=5)


def test_a_time_of_any_zone_is_read_as_utc() -> None:
    read = moment("2026-11-01T05:30:00+05:30")
    assert (read, read.utcoffset()) == (START, timedelta())


def test_times_are_read_as_channels_write_them() -> None:
    assert moment("2026-11-01T00:00:00.037339943Z").microsecond == 37339
    assert moment("2026-11-01T01:00:00+01:00") == moment("2026-11-01T00:00:00") == START
    assert stamp(moment("2026-11-01T01:00:00.5+01:00")) == "2026-11-01T00:00:00.500Z"


def test_a_channel_whose_clock_goes_ahead_is_read_to_its_end_at_once() -> None:
    """Its orders always lie past the beginning of a pass: that alone may not end it."""
    channel = Channel(page_size=3)
    for order in range(30):
        channel.now += timedelta(seconds=1)
        channel.change(order)
    cursor, more, seen = "", True, set[int]()
    while more:
        ours = channel.now - timedelta(minutes=10)
        channel.now += timedelta(milliseconds=100)
        orders, cursor, more = pull(channel, cursor, ours)
        seen.update(orders)
        assert channel.reads < 40, "the first page is read again and again"
    assert seen == set(range(30))
