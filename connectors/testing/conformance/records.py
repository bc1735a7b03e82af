"""Cases about odd records: what cannot be read concerns itself alone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.contract import Page, PullOrders, PullReturns, PushStock, SnapshotStock
from connectors.testing.broken_records import Break, Recorded, breaks_of
from connectors.testing.case import ConformanceFailure, NotApplicable, case, require, require_equal
from connectors.testing.harness import PAGES_MAX, Harness
from connectors.toolkit.value_checks import ValueProblem, checked
from connectors.unreadable import Unreadable, UnreadableRecord
from hub.vocabulary import Order

ODD_MAX = 400  # breaks of one record that are tried


@dataclass
class Read:
    """What a reading gave: items by reference, and the records that could not be read."""

    items: dict[str, Any] = field(default_factory=dict)
    unreadable: list[UnreadableRecord] = field(default_factory=list)
    cursor: str = ""


@case(PullOrders)
async def odd_orders_stop_no_others(harness: Harness) -> None:
    """Each field of an order broken in turn: its neighbours come in, it is read or named."""
    refs = _three_orders(harness)
    recorded, whole = await _recorded(harness, harness.connector.pull_orders)
    require_equal(sorted(whole.items), sorted(refs), "the orders before one is broken")
    place = recorded.place_of(refs, refs[1])
    require(place is not None, "no answer holds the three orders in one list")
    assert place is not None
    for each in list(breaks_of(place.record))[:ODD_MAX]:
        harness.transport.replay = recorded.replay(place, each.apply(place.record))
        found = await _pulled(harness.connector.pull_orders, each)
        harness.transport.replay = None
        for ref in (refs[0], refs[2]):
            require_equal(found.items.get(ref), whole.items[ref], f"{each}: its neighbour {ref}")
        _judge(each, refs[1], found, whole.items[refs[1]], harness.driver.optional_fields)
        require(found.cursor != "", f"{each}: the cursor does not move")


@case(PullOrders)
async def an_odd_order_read_alone(harness: Harness) -> None:
    """An order that is read alone is read, or Unreadable with field and value; nothing else."""
    refs = _three_orders(harness)
    recorded = Recorded()
    harness.transport.recorded = recorded
    whole = await harness.connector.read_order(refs[1])
    harness.transport.recorded = None
    place = recorded.place_of([refs[1]], refs[1]) or recorded.place_alone(refs[1])
    if place is None:
        raise NotApplicable("no answer holds the order as one object")
    for each in list(breaks_of(place.record))[:ODD_MAX]:
        harness.transport.replay = recorded.replay(place, each.apply(place.record))
        found = Read()
        try:
            found.items[refs[1]] = await harness.connector.read_order(refs[1])
        except Unreadable as error:
            found.unreadable.append(error.record)
        except Exception as error:
            raise ConformanceFailure(f"{each}: the order alone ends with {error!r}") from error
        harness.transport.replay = None
        require(
            all(one.ref == refs[1] for one in found.unreadable),
            f"{each}: the record does not name the order that was asked for",
        )
        _judge(each, refs[1], found, whole, harness.driver.optional_fields)


@case(PullReturns)
async def odd_returns_stop_no_others(harness: Harness) -> None:
    """Each field of a return broken in turn: its neighbours come in, it is read or named."""
    orders = _three_orders(harness)
    for order in orders:
        harness.clock.advance(20)
        harness.driver.create_return(order, 1, ())
    recorded, whole = await _recorded(harness, harness.connector.pull_returns)
    by_order = {each.order_ref: ref for ref, each in whole.items.items()}
    require_equal(sorted(by_order), sorted(orders), "the orders of the returns")
    places = (
        (recorded.place_of(names, names[1]), orders[1])
        for names in _names_of_returns(orders, [by_order[ref] for ref in orders])
    )
    place, order = next(((one, ref) for one, ref in places if one is not None), (None, ""))
    if place is None and not harness.driver.returns_are_json:
        raise NotApplicable("returns come in a report that is no JSON")
    require(place is not None, "no answer holds the three returns in one list")
    assert place is not None
    for each in list(breaks_of(place.record))[:ODD_MAX]:
        harness.transport.replay = recorded.replay(place, each.apply(place.record))
        found = await _pulled(harness.connector.pull_returns, each)
        harness.transport.replay = None
        for ref in (by_order[orders[0]], by_order[orders[2]]):
            require_equal(found.items.get(ref), whole.items[ref], f"{each}: its neighbour {ref}")
        read = [one for one in found.items.values() if one.order_ref == order]
        require(
            read or found.unreadable or each.value in (None, [], "odd") or _is_optional(each),
            f"{each}: the return is lost without a word",
        )
        for one in found.unreadable:
            _named(each, one)


@case(SnapshotStock)
async def odd_listings_stop_no_others(harness: Harness) -> None:
    """Each field of a listing broken in turn: the walk ends, and its neighbours are in it."""
    for sku in ("ONE", "TWO", "SIX"):
        harness.clock.advance(20)
        harness.driver.list_article(sku, 7)
    recorded = Recorded()
    harness.transport.recorded = recorded
    whole = await _walked(harness)
    harness.transport.recorded = None
    require_equal(sorted(whole.items), ["ONE", "SIX", "TWO"], "the listings before one is broken")
    place = recorded.place_of(["ONE", "SIX", "TWO"], "TWO")
    if place is None:
        raise NotApplicable("no answer holds the listings by their SKU")
    for each in list(breaks_of(place.record))[:ODD_MAX]:
        harness.transport.replay = recorded.replay(place, each.apply(place.record))
        try:
            found = await _walked(harness)
        except Exception as error:
            raise ConformanceFailure(f"{each}: the walk ends with {error!r}") from error
        harness.transport.replay = None
        for sku in ("ONE", "SIX"):
            require_equal(found.items.get(sku), whole.items[sku], f"{each}: its neighbour {sku}")
        for one in found.unreadable:
            _named(each, one)


@case(PushStock, SnapshotStock)
async def an_odd_listing_stops_no_push(harness: Harness) -> None:
    """Of the listings that a push reads one is broken: the others are set, it has an error."""
    levels = []
    for sku in ("ONE", "TWO", "SIX"):
        remote = harness.driver.list_article(sku, 7)
        levels.append(harness.level(sku, 3, remote, expected=7))
    recorded = Recorded()
    harness.transport.recorded = recorded
    await harness.push(levels)
    harness.transport.recorded = None
    names = [["ONE", "TWO", "SIX"]] + [
        [level.remote[name] for level in levels] for name in levels[0].remote
    ]
    found = (recorded.place_of(each, each[1]) for each in names if len(set(each)) == 3)
    place = next((each for each in found if each is not None), None)
    if place is None:
        raise NotApplicable("a push reads no list of the listings")
    for each in list(breaks_of(place.record))[:ODD_MAX]:
        odd = each.apply(place.record)
        harness.transport.replay = recorded.replay(place, odd, alone=True)
        try:
            pushed = await harness.push(levels)
        except Exception as error:
            raise ConformanceFailure(f"{each}: the whole push ends with {error!r}") from error
        harness.transport.replay = None
        by_listing = {answer.listing: answer for answer in pushed}
        require_equal(len(by_listing), 3, f"{each}: so many answers")
        for level in (levels[0], levels[2]):
            answer = by_listing[level.listing]
            require(answer.error is None, f"{each}: {level.sku} ends with {answer.error!r}")


def _three_orders(harness: Harness) -> list[str]:
    harness.driver.list_article("CAM", 99)
    refs = []
    for _ in range(3):
        harness.clock.advance(20)
        refs.append(harness.driver.place_order("CAM", 2))
    return refs


def _names_of_returns(orders: Sequence[str], returns: Sequence[str]) -> Sequence[Sequence[str]]:
    """Return what a list of returns may be found by: their own references, or their orders'."""
    parts = [ref.partition(":")[0] for ref in returns], [ref.partition("/")[0] for ref in returns]
    return (returns, *parts, orders)


Pull = Callable[[str], Awaitable[Page[Any]]]


async def _recorded(harness: Harness, pull: Pull) -> tuple[Recorded, Read]:
    recorded = Recorded()
    harness.transport.recorded = recorded
    read = await _pages(pull)
    harness.transport.recorded = None
    return recorded, read


async def _pulled(pull: Pull, broken: Break) -> Read:
    try:
        return await _pages(pull)
    except Exception as error:
        raise ConformanceFailure(f"{broken}: the whole page ends with {error!r}") from error


async def _pages(pull: Pull) -> Read:
    read = Read()
    for _ in range(PAGES_MAX):
        page = await pull(read.cursor)
        read.items |= {each.ref: each for each in page.items}
        read.unreadable += page.unreadable
        read.cursor = page.cursor
        if not page.more:
            return read
    raise ConformanceFailure(f"after {PAGES_MAX} pages there was still more")


async def _walked(harness: Harness) -> Read:
    read = Read()
    async for each in harness.connector.snapshot_stock():
        if isinstance(each, UnreadableRecord):
            read.unreadable.append(each)
        else:
            read.items[each.sku] = each
    return read


def _judge(broken: Break, ref: str, found: Read, whole: Order, optional: frozenset[str]) -> None:
    """Require that a broken order was read as it is, or is named with the field."""
    for item in found.items.values():
        try:
            checked(item)
        except ValueProblem as problem:
            raise ConformanceFailure(f"{broken}: what was read holds {problem}") from problem
    order = found.items.get(ref)
    if order is None:  # perhaps its reference was broken, and the other one is a reference as well
        order = found.items.get(str(broken.value))
    if order is not None:
        if not set(map(str, broken.path)) & optional:
            new_ref = str(broken.value)
            lines = [
                (wanted.ref if line.ref == new_ref else line.ref, line.quantity)
                for line, wanted in zip(order.lines, whole.lines, strict=False)
            ]
            require_equal(len(order.lines), len(whole.lines), f"{broken}: so many lines were read")
            require_equal(lines, _lines(whole), f"{broken}: the lines that were read")
        return
    require(found.unreadable, f"{broken}: the order is lost without a word")
    for one in found.unreadable:
        require(one.ref in (ref, None), f"{broken}: it is named {one.ref}, not {ref}")
        _named(broken, one)


def _named(broken: Break, record: UnreadableRecord) -> None:
    """Require that a record names the field that was broken, one in it or one around it."""
    named, wanted = record.field, broken.name
    inside = named == wanted or named.startswith((f"{wanted}.", f"{wanted}["))
    around = wanted.startswith((f"{named}.", f"{named}["))
    require(inside or around, f"{broken}: it is said to be about {named} ({record.reason})")
    require(record.value and record.reason, f"{broken}: value and reason are missing")


def _is_optional(broken: Break) -> bool:
    return not isinstance(broken.value, list | str)


def _lines(order: Order) -> list[tuple[str, int]]:
    return [(line.ref, line.quantity) for line in order.lines]


CASES = (
    odd_orders_stop_no_others,
    an_odd_order_read_alone,
    odd_returns_stop_no_others,
    odd_listings_stop_no_others,
    an_odd_listing_stops_no_push,
)
