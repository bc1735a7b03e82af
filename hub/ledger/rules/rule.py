"""The contract of a rule: prepared once for a command, asked for each of its units."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.units import UnitState


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a command tries: one action, with its own details for each unit that was found.

    `follows` is true where parts of kits follow what was done to their kits.
    """

    work: Work
    commands: Sequence[UnitCommand]
    units: Sequence[UnitState]
    follows: bool = False

    @property
    def command(self) -> UnitCommand:
        """Return the first command; its action and order line are those of all."""
        return self.commands[0]


class Rule(ABC):
    """One rule of the ledger."""

    @classmethod
    @abstractmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Read what the rule needs to know about all units of the attempt."""

    @abstractmethod
    def check(self, command: UnitCommand, unit: UnitState) -> None:
        """Raise the `Refused` that says why this may not be done to the unit."""
