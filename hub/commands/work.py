"""One command at work: the open transaction, the context of the command, and its id."""

from dataclasses import dataclass, replace

from hub.commands.context import CommandContext
from hub.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Work:
    """What every function that writes under a command takes as its first argument.

    `tx` is the open transaction, `context` says who does it, when, how and why, and `command_id`
    is the id under which all events of the command are stored.
    """

    tx: Transaction
    context: CommandContext
    command_id: str

    def within(self, context: CommandContext) -> "Work":
        """Return the same command in another context."""
        return replace(self, context=context)
