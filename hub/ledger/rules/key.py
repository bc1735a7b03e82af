"""Keys: one that is kept to a site, or to one owner's goods, acts on nothing else.

A till sells what belongs to its own shop: goods of a client leave over the counter only by a key of
that client, or for an order of a channel that sells for it.
"""

from dataclasses import dataclass
from typing import Self

from hub.commands.context import UNCONFINED, CommandContext, Confinement
from hub.errors import Forbidden
from hub.ledger.command import UnitCommand
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.lifecycle import Action

OWNER = "this key acts on the goods of one owner, and the unit belongs to another"
SITE = "this key acts at one site, and this is another"


@dataclass(frozen=True, slots=True)
class KeyRule(Rule):
    """What the key of the command may act on; parts follow their kit."""

    confinement: Confinement

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Take the confinement of the command's key."""
        context = attempt.work.context
        return cls(UNCONFINED if attempt.follows else context.confinement)

    def check(self, command: UnitCommand, unit: UnitState) -> None:
        """Raise Forbidden for a unit of another owner, or at another site."""
        allowed = self.confinement
        if allowed is UNCONFINED:
            return
        sells = allowed.own_counter and command.action is Action.SELL and command.line is None
        if (allowed.one_owner or sells) and unit.client_id != allowed.client_id:
            raise Forbidden(OWNER)
        if allowed.site_id is None:
            return
        arrives = command.location is not None and command.action is not Action.TRANSFER_OUT
        site = command.location["site_id"] if arrives and command.location else unit.site_id
        if site != allowed.site_id:
            raise Forbidden(SITE)


def check_site(context: CommandContext, site_id: str) -> None:
    """Raise Forbidden where the command's key may not act at a site."""
    if context.confinement.site_id not in (None, site_id):
        raise Forbidden(SITE)


def check_owner(context: CommandContext, client_id: str | None) -> None:
    """Raise Forbidden where the command's key may not receive goods of an owner."""
    if context.confinement.one_owner and client_id != context.confinement.client_id:
        raise Forbidden(OWNER)
