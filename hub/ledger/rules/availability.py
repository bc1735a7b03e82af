"""Availability policy: a unit that does not count for a channel is not promised to its orders."""

from dataclasses import dataclass
from typing import Self

from hub.availability.policy import Policy, of_products
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.lifecycle import Action
from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class AvailabilityRule(Rule):
    """The policy of the channel whose order the units are to be promised to, if there is one."""

    policy: Policy | None

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Read the policy of the order line's channel."""
        return cls(_line_policy(attempt.work.tx, attempt.command))

    def check(self, command: UnitCommand, unit: UnitState) -> None:  # noqa: ARG002
        """Raise StepNotAllowed for a unit that does not count for the order's channel."""
        policy = self.policy
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


def _line_policy(tx: Transaction, command: UnitCommand) -> Policy | None:
    """Return the policy for the order line that units are to be promised to, if one is named."""
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
