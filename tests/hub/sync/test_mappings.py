"""Mappings: what a channel's words mean here is data, and holds for what is read and told."""

import asyncio

import pytest

from hub import orders
from hub.commands.work import Work
from hub.errors import InvalidInput, UnknownReference
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import Shipment
from hub.reconciliation.kinds import Kind
from hub.storage.sql import Row
from hub.sync import channels, mappings
from hub.sync.mappings import Mapping, MappingKind, Word
from hub.vocabulary import OrderState, ReturnState
from jobs import relay
from reconciling_orders import compared
from recording import stage
from world import World

pytestmark = pytest.mark.req("R140")


def put(world: World, kind: MappingKind, **named: str) -> None:
    given = [Mapping(source, target) for source, target in named.items()]
    world.write(lambda tx: mappings.put(tx, "rec", kind, given))


def again(world: World, channel: Row) -> Row:
    return world.read(lambda tx: channels.by_id(tx, channel["id"]))


def test_an_orders_own_state_is_read_as_people_say(world: World) -> None:
    _, _, channel = stage(world)
    world.receive("SN-1")
    put(world, MappingKind.ORDER_STATE, Quarantined="cancelled")
    world.accept(again(world, channel), world.order("o-1", remote_state=" quarantined"))
    assert world.value("SELECT state FROM sales_order") == "cancelled"
    assert world.value("SELECT COUNT(*) FROM unit WHERE promised_to IS NOT NULL") == 0
    # Its own word is kept for people, as the channel said it.
    assert world.value("SELECT remote_state FROM sales_order") == " quarantined"


def test_a_returns_own_state_too(world: World) -> None:
    _, _, channel = stage(world)
    put(world, MappingKind.RETURN_STATE, posted="open")
    said = world.returned(remote_state="posted", state=ReturnState.REQUESTED)
    world.announce(again(world, channel), said)
    assert world.value("SELECT state FROM channel_return") == "open"


def test_a_carrier_is_told_by_the_channels_name_for_it(world: World) -> None:
    connector, runtime, channel = stage(world)
    world.receive("SN-1", "SN-2")
    put(world, MappingKind.CARRIER, UPS="ups_ground")
    for ref, serial, carrier in (("o-1", "SN-1", "ups"), ("o-2", "SN-2", "Post")):
        world.accept(channel, world.order(ref))
        world.do(Action.PICK, serial)
        world.write(
            lambda tx, serial=serial, carrier=carrier: orders.ship(
                Work(tx, world.context(), f"c-{serial}"), [Scan(serial)], Shipment(carrier, "1Z")
            )
        )
    asyncio.run(relay.drain(runtime, channel["id"]))
    assert [each.carrier for each in connector.fulfillments] == ["ups_ground", "Post"]


def test_what_was_read_before_is_seen_by_reconciliation(world: World) -> None:
    _, _, channel = stage(world)
    world.receive("SN-1")
    order = world.order("o-1", remote_state="void")
    world.accept(channel, order)
    put(world, MappingKind.ORDER_STATE, void="cancelled")
    found = compared(world, channel, order, world.now)
    assert found.difference is not None
    assert found.difference.kind is Kind.ORDER_STATE


def test_a_word_with_several_meanings_is_shown_with_each_and_its_number(world: World) -> None:
    _, _, channel = stage(world)
    for number, state in enumerate((OrderState.OPEN, OrderState.CANCELLED, OrderState.OPEN)):
        order = world.order(f"o-{number}", remote_state="PAID UNFULFILLED", state=state)
        world.accept(channel, order)
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert [(each.target, each.times) for each in words] == [("open", 2), ("cancelled", 1)]
    put(world, MappingKind.ORDER_STATE, **{"PAID UNFULFILLED": "pending"})
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert [(each.target, each.times) for each in words] == [("pending", 3)]


@pytest.mark.parametrize(
    ("source", "state"),
    [
        ("payment: on account", OrderState.OPEN),
        ("shipment: Queued", OrderState.CANCELLED),
        ("placed", OrderState.DRAFT),
    ],
)
def test_each_word_of_an_order_is_mapped_by_its_name(
    world: World, source: str, state: OrderState
) -> None:
    _, _, channel = stage(world)
    put(world, MappingKind.ORDER_STATE, **{source: state})
    stated = {"payment_state": "ON ACCOUNT", "shipment_state": "QUEUED"}
    order = world.order("o-1", remote_state="placed", state=OrderState.PENDING, **stated)
    world.accept(again(world, channel), order)
    assert world.value("SELECT state FROM sales_order") == state
    kept = "SELECT remote_state, payment_state, shipment_state FROM sales_order"
    assert list(world.rows(kept)[0].values()) == ["placed", "ON ACCOUNT", "QUEUED"]
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert {each.source: each.times for each in words} == {
        "placed": 1,
        "payment: ON ACCOUNT": 1,
        "shipment: QUEUED": 1,
    }
    assert [each.mapped for each in words if each.source.casefold() == source.casefold()] == [True]


def test_the_word_for_the_order_goes_before_the_others(world: World) -> None:
    _, _, channel = stage(world)
    wanted = {"placed": "open", "payment: VOIDED": "cancelled"}
    put(world, MappingKind.ORDER_STATE, **wanted)
    order = world.order("o-1", remote_state="placed", payment_state="VOIDED")
    world.accept(again(world, channel), order)
    assert world.value("SELECT state FROM sales_order") == "open"


def test_the_words_of_a_channel_are_listed_with_what_they_are_taken_for(world: World) -> None:
    _, _, channel = stage(world)
    for number, word in enumerate(("open", "open", "odd")):
        world.accept(channel, world.order(f"o-{number}", remote_state=word))
    put(world, MappingKind.ORDER_STATE, odd="pending", never="cancelled")
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert words == [
        Word("open", "open", times=2, mapped=False),
        Word("odd", "pending", times=1, mapped=True),
        Word("never", "cancelled", times=0, mapped=True),
    ]
    put(world, MappingKind.ORDER_STATE)  # none any more
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert [each.mapped for each in words] == [False, False]


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"odd": "sleeping"}, "none of draft, pending, open, fulfilled, cancelled"),
        ({"odd": ""}, "1 to 100 characters"),
        ({"x" * 101: "open"}, "1 to 100 characters"),
        ({"odd": "open", "ODD ": "pending"}, "each term at most once"),
        ({str(number): "open" for number in range(201)}, "at most 200"),
    ],
)
def test_what_can_not_be_meant_is_refused(world: World, named: dict[str, str], why: str) -> None:
    stage(world)
    put(world, MappingKind.ORDER_STATE, fine=OrderState.OPEN)
    with pytest.raises(InvalidInput, match=why):
        put(world, MappingKind.ORDER_STATE, **named)
    words = world.read(lambda tx: mappings.words(tx, "rec", MappingKind.ORDER_STATE))
    assert [each.source for each in words] == ["fine"]


def test_a_channel_that_is_not_there_is_said(world: World) -> None:
    with pytest.raises(UnknownReference):
        put(world, MappingKind.CARRIER, a="b")
