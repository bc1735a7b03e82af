"""Who does something, when, how and why: what every command and every event carries."""

from dataclasses import dataclass, replace
from datetime import datetime

from hub.vocabulary import CaptureMethod


@dataclass(frozen=True, slots=True)
class Document:
    """The business document behind an event, by its CBV transaction type: po, desadv, inv, rma."""

    type: str
    ref: str


@dataclass(frozen=True, slots=True)
class Confinement:
    """What the key of a command may act on.

    Units at the site `site_id` only (None: anywhere), and units of the client `client_id` only
    where `one_owner` is set. With `own_counter`, what is sold at the counter without an order
    belongs to `client_id`, or to us where it is None.
    """

    site_id: str | None = None
    client_id: str | None = None
    one_owner: bool = False
    own_counter: bool = False


UNCONFINED = Confinement()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """Who gives a command, when, how and why.

    `now` is when the ledger learns of it, `occurred_at` when it happened (None: now). `scope` is
    where idempotency keys live: the API key's id, or a job's name. `approved_by` is who answers
    for a serial that was not read where it must be. `key_id` is the API key that gives the command
    (None: the hub itself), `overrides` says that it may act on promises of other keys, and
    `confinement` what it may act on at all.
    """

    actor: str
    now: datetime
    scope: str = "hub"
    occurred_at: datetime | None = None
    captured_by: CaptureMethod = CaptureMethod.API
    document: Document | None = None
    reason: str | None = None
    approved_by: str | None = None
    key_id: str | None = None
    overrides: bool = False
    confinement: Confinement = UNCONFINED

    def by_hub(self) -> "CommandContext":
        """Return the same context for what the hub itself does as a consequence."""
        return replace(self, key_id=None, confinement=UNCONFINED)
