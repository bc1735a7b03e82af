"""Short ways to open recalls, for the tests of several rooms."""

from typing import Any

from hub import recalls
from hub.clock import new_id
from hub.commands.work import Work
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.recalls import RecallCard, Resolution, Scope
from hub.storage.sql import Row
from hub.vocabulary import OrderLine, OrderState
from world import World


def open_recall(world: World, ref: str = "R-1", **predicate: Any) -> Row:
    card = RecallCard(ref=ref, title="Fire", predicate=predicate, instructions="Stop using it.")
    world.write(lambda tx: recalls.open_recall(Work(tx, world.context(), new_id()), card))
    return world.read(lambda tx: recalls.by_ref(tx, ref))


def preview(world: World, **predicate: Any) -> Scope:
    return world.read(lambda tx: recalls.preview(tx, predicate))[0]


def resolve(world: World, resolution: Resolution, *serials: str, ref: str = "R-1") -> list[Verdict]:
    scans = [Scan(serial) for serial in serials]
    return world.write(
        lambda tx: recalls.resolve(Work(tx, world.context(), new_id()), ref, resolution, scans)
    )


def caught(world: World, ref: str = "R-1") -> list[str]:
    rows = world.rows(
        "SELECT unit.serial FROM recall_unit JOIN unit ON unit.id = recall_unit.unit_id "
        "JOIN recall ON recall.id = recall_unit.recall_id WHERE recall.ref = :ref "
        "ORDER BY unit.serial",
        ref=ref,
    )
    return [row["serial"] for row in rows]


def sell(world: World, channel: Row, order: str, *serials: str, customer: str | None) -> None:
    """Have a channel sell named units to a customer over its counter."""
    line = OrderLine(ref="l-1", sku="CAM", quantity=len(serials), serials=serials)
    world.accept(
        channel,
        world.order(
            order,
            [line],
            state=OrderState.FULFILLED,
            at_counter=True,
            customer_ref=customer,
        ),
    )
