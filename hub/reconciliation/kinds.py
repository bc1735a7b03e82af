"""Vocabulary of reconciliation: scopes, kinds, causes, fixes, and the outcome for one subject."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.cases import Severity

SKIPPED_MAX = 100  # subjects that a run names which it could not compare


class Scope(StrEnum):
    """Subject of a run."""

    LEVELS = "levels"
    ORDERS = "orders"
    SHIPMENTS = "shipments"  # the serials that the channel shows
    RETURNS = "returns"
    WARRANTIES = "warranties"
    LEDGER = "ledger"  # events, units, checkpoints and balances with each other


class State(StrEnum):
    """State of a difference."""

    OPEN = "open"
    HEALING = "healing"  # its fix is queued or sent, and not yet seen to hold
    HEALED = "healed"  # its fix was sent, and the subject was seen to agree after that
    CLOSED = "closed"  # both sides agree again, without a fix of this difference
    DISMISSED = "dismissed"  # a person explained it; holds until one of the claims changes
    SUPERSEDED = "superseded"  # one of the claims changed: a newer difference goes on


class Kind(StrEnum):
    """Kind of a disagreement between a channel and the ledger."""

    QUANTITY = "quantity"
    UNBOUND_LISTING = "unbound_listing"  # the channel lists a SKU of ours that is not bound
    UNKNOWN_LISTING = "unknown_listing"  # the channel lists what is no product of ours
    DUPLICATE_LISTING = "duplicate_listing"  # the channel lists one SKU of ours several times
    MISSING_LISTING = "missing_listing"  # a bound listing that the channel does not show
    LISTING_REPLACED = "listing_replaced"  # the same SKU there under a new reference
    LISTING_RENAMED = "listing_renamed"  # the same reference there under a new SKU
    MISSING_ORDER = "missing_order"  # an order that never reached the ledger
    ORDER_STATE = "order_state"  # cancelled or edited there, not here
    MISSING_FULFILLMENT = "missing_fulfillment"  # it left, and the channel does not know
    FOREIGN_FULFILLMENT = "foreign_fulfillment"  # the channel says it left, the ledger does not
    UNKNOWN_ORDER = "unknown_order"  # an order that the channel no longer has
    MISSING_SERIALS = "missing_serials"  # they left, and the channel does not show them
    FOREIGN_SERIALS = "foreign_serials"  # the channel shows what did not leave on the order
    SWAPPED_SERIALS = "swapped_serials"  # two lines or orders show each other's serials
    SERIAL_ON_TWO_ORDERS = "serial_on_two_orders"  # the channel shows a serial on two orders
    MISSING_RETURN = "missing_return"  # a return or refund that never reached the ledger
    UNKNOWN_RETURN = "unknown_return"  # a return that the channel no longer has
    RETURN_STATE = "return_state"  # changed there, not here
    MISSING_REGISTRATION = "missing_registration"  # sold, and the manufacturer does not know
    UNKNOWN_SERIAL = "unknown_serial"  # the manufacturer never issued it
    LEDGER_SEAL = "ledger_seal"  # an event, a unit or a checkpoint differs from what was sealed
    LEDGER_BALANCE = "ledger_balance"  # counts, places or holds of units do not add up
    LEDGER_FORMAT = "ledger_format"  # a serial breaks the rule that its product has by now
    LEDGER_DUPLICATE = "ledger_duplicate"  # serials of two units look alike: they may be one unit
    LEDGER_ORPHAN = "ledger_orphan"  # a unit in stock or sold whose receipt was never recorded
    WARRANTY_DATES = "warranty_dates"  # the manufacturer's days are not those of the sale
    WARRANTY_PRODUCT = "warranty_product"  # the manufacturer knows another product by the serial
    FOREIGN_REGISTRATION = "foreign_registration"  # not sold here, and registered to somebody


class Cause(StrEnum):
    """Cause of a disagreement, where records prove it."""

    FOREIGN_EDIT = "foreign_edit"  # neither our pushes nor orders and returns explain it
    CHANNEL_SALE = "channel_sale"  # the channel deducted units of its own orders by itself
    CHANNEL_RESTOCK = "channel_restock"  # the channel put returned units on sale by itself
    REMOVED_THERE = "removed_there"  # it was seen there before, and is not there now
    LOST_WEBHOOK = "lost_webhook"
    MISSED_ORDER = "missed_order"
    FAILED_PUSH = "failed_push"
    UNPUSHED_CHANGE = "unpushed_change"
    CORRECTED_HERE = "corrected_here"  # the channel took it, and it was taken back here
    MAPPING_GAP = "mapping_gap"
    UNKNOWN_SERIAL = "unknown_serial"
    UNEXPLAINED = "unexplained"


class Fix(StrEnum):
    """Way to resolve a disagreement."""

    PUSH_LEVEL = "push_level"
    BIND_LISTING = "bind_listing"
    BIND_NEAR_MATCH = "bind_near_match"  # to the product whose SKU differs in case and blanks
    REBIND_LISTING = "rebind_listing"  # to the channel's new reference of the same SKU
    RENAME_LISTING = "rename_listing"  # to the channel's new SKU of the same reference
    SELL_ON_ONE = "sell_on_one"  # bind the copy, and show 0 on it
    SHARE_FIGURE = "share_figure"  # bind the copy, and divide the figure among all copies
    UNBIND_LISTING = "unbind_listing"  # end the binding of a listing that is gone
    ACCEPT_ORDER = "accept_order"
    CANCEL_ORDER = "cancel_order"
    PUSH_FULFILLMENT = "push_fulfillment"
    ACCEPT_RETURN = "accept_return"
    REGISTER_AGAIN = "register_again"
    ASK = "ask"


# What a person may choose instead of the proposed fix, by kind.
CHOICES: Mapping[Kind, tuple[Fix, ...]] = {
    Kind.DUPLICATE_LISTING: (Fix.SELL_ON_ONE, Fix.SHARE_FIGURE),
    Kind.MISSING_LISTING: (Fix.UNBIND_LISTING,),
    Kind.LISTING_RENAMED: (Fix.RENAME_LISTING,),
    Kind.LISTING_REPLACED: (Fix.REBIND_LISTING, Fix.UNBIND_LISTING),
    Kind.UNKNOWN_ORDER: (Fix.CANCEL_ORDER,),
}
# Only a person decides on these; ASK has no fix that the hub could apply.
ASKED = frozenset({Fix.ASK, Fix.BIND_NEAR_MATCH, Fix.SELL_ON_ONE, Fix.SHARE_FIGURE})
# They repeat a normal step of the hub and do not change what the ledger has in stock.
AUTOMATIC = frozenset(Fix) - ASKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A record that proves a cause: the table that keeps it, its id, its time, and its words."""

    record: str
    id: str
    at: datetime
    text: str

    def as_json(self) -> dict[str, str]:
        """Return the proof as plain JSON values."""
        at = self.at.isoformat()
        return {"record": self.record, "id": self.id, "at": at, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One disagreement: both sides' claims, its proven cause, the evidence, the proposed fix.

    `about` identifies the subject by the channel's own reference, `subject` by the name that people
    use. `surplus` counts the units that the channel has more than the ledger; fewer are negative.
    The claims hold only what the sides state: while both stay as they are, the difference is the
    same one, and a dismissal of it holds.
    """

    kind: Kind
    about: str
    subject: str
    ledger: Mapping[str, Any]
    remote: Mapping[str, Any]
    cause: Cause
    evidence: str
    fix: Fix
    proofs: tuple[Proof, ...] = ()
    severity: Severity = Severity.MEDIUM
    surplus: int | None = None
    listing_id: str | None = None
    product_id: str | None = None
    unit_id: str | None = None
    order_id: str | None = None


class Result(StrEnum):
    """Result of the comparison of one subject."""

    MATCHED = "matched"
    IN_FLIGHT = "in_flight"  # a change is on its way to or from the channel
    NOT_KEPT = "not_kept"  # the channel keeps this quantity: there is nothing to compare
    NOT_COMPARED = "not_compared"  # it could not be compared
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Outcome for one subject: one result, and at most one difference."""

    about: str
    result: Result
    difference: Difference | None = None
    subject: str = ""  # of one that could not be compared
    reason: str = ""  # why it could not be compared


def matched(about: str) -> Compared:
    """Return the outcome of a subject on which both sides agree."""
    return Compared(about=about, result=Result.MATCHED)


def in_flight(about: str) -> Compared:
    """Return the outcome of a subject of which a change is on its way."""
    return Compared(about=about, result=Result.IN_FLIGHT)


def different(difference: Difference) -> Compared:
    """Return the outcome of a subject on which the sides disagree."""
    return Compared(about=difference.about, result=Result.DIFFERENT, difference=difference)


def not_compared(about: str, subject: str, reason: str) -> Compared:
    """Return the outcome of a subject that could not be compared."""
    return Compared(about=about, result=Result.NOT_COMPARED, subject=subject, reason=reason)


@dataclass(slots=True)
class Totals:
    """Sums of a run: compared = matched + in flight + explained + differences.

    Each subject is counted once.
    """

    matched: int = 0
    in_flight: int = 0
    explained: int = 0  # they differ, and a person dismissed exactly this difference
    differences: int = 0
    not_kept: int = 0  # listings whose quantity the channel keeps
    not_compared: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Return the number of subjects that were compared."""
        return self.matched + self.in_flight + self.explained + self.differences

    def count(self, outcome: Compared, *, explained: bool = False) -> None:
        """Count one subject."""
        match outcome.result:
            case Result.MATCHED:
                self.matched += 1
            case Result.IN_FLIGHT:
                self.in_flight += 1
            case Result.NOT_KEPT:
                self.not_kept += 1
            case Result.NOT_COMPARED:
                self.not_compared += 1
                if len(self.skipped) < SKIPPED_MAX:
                    self.skipped.append({"subject": outcome.subject, "reason": outcome.reason})
            case Result.DIFFERENT if explained:
                self.explained += 1
            case Result.DIFFERENT:
                self.differences += 1
