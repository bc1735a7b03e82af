"""Capture points: some steps of a product are refused unless the unit was scanned."""

from dataclasses import dataclass
from typing import Self

from hub.catalogue import capture_points
from hub.commands.context import CommandContext
from hub.ledger.command import UnitCommand
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState


@dataclass(frozen=True, slots=True)
class CaptureRule(Rule):
    """The products whose units must be scanned for the action, and were not."""

    context: CommandContext
    unscanned: set[str]

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Find the products that need a scan; parts follow a kit that was scanned."""
        context = attempt.work.context
        if attempt.follows:
            return cls(context, set())
        points = {unit.product_id: unit.capture_points for unit in attempt.units}
        return cls(context, capture_points.unscanned(context, attempt.command.action, points))

    def check(self, command: UnitCommand, unit: UnitState) -> None:
        """Raise CaptureRequired for a unit that was not scanned and has to be."""
        if unit.product_id in self.unscanned:
            raise capture_points.missing(self.context, command.action, unit.sku)
