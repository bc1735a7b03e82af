"""What follows from availability policies for promises: the ledger asks here.

A unit that does not count for a channel is not promised to its orders, whoever chooses it.
"""

from hub.availability.policy import Policy, of_products
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.units import UnitState
from hub.lifecycle import Action
from hub.storage.sql import Transaction


def line_policy(tx: Transaction, command: UnitCommand) -> Policy | None:
    """Return what holds for the order line that units are to be promised to, if one is named."""
    if command.action is not Action.ALLOCATE or command.line is None:
        return None
    row = tx.row(
        "SELECT channel.*, order_line.product_id FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE order_line.id = :line",
        line=command.line,
    )
    if row is None or row["product_id"] is None:
        return None
    return of_products(tx, row, [row["product_id"]])[row["product_id"]]


def check(unit: UnitState, policy: Policy | None) -> None:
    """Refuse a unit that does not count for the order's channel."""
    if policy is None:
        return
    if policy.site_ids and unit.site_id not in policy.site_ids:
        raise StepNotAllowed("the order's channel sells nothing from this site", allowed=[])
    if policy.conditions and unit.condition not in policy.conditions:
        raise StepNotAllowed(
            f"the order's channel does not sell what is {unit.condition.replace('_', ' ')}",
            allowed=[],
        )
    if policy.grades and unit.grade not in policy.grades:
        graded = f"of grade {unit.grade}" if unit.grade else "without a grade"
        raise StepNotAllowed(f"the order's channel does not sell units {graded}", allowed=[])
