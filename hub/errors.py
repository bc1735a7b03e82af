"""What the ledger refuses, in words that a person at the dock can act on.

One class for each thing that the caller can do about it; `code` is part of the API and never
changes. A refusal is an answer: the request was understood and nothing was written.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class Refused(Exception):
    """Base: the request was understood and refused, and nothing was written.

    `details` are further facts by name, such as what would have been allowed.
    """

    code: ClassVar[str] = "REFUSED"

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message or (self.__doc__ or "").partition("\n")[0])
        self.details: Mapping[str, Any] = details


class InvalidInput(Refused):
    """A value is malformed; correct it and send again."""

    code = "INVALID_INPUT"


class InvalidBarcode(InvalidInput):
    """What was read can not be a serial: scan the serial label of the unit."""

    code = "INVALID_BARCODE"


class UnknownUnit(Refused):
    """No unit bears this identifier: check the label, or receive the unit first."""

    code = "UNKNOWN_UNIT"


class AmbiguousUnit(Refused):
    """Several units bear this identifier: name the product too."""

    code = "AMBIGUOUS_UNIT"


class UnknownReference(Refused):
    """A product, location, order, channel or other record that is named does not exist."""

    code = "UNKNOWN_REFERENCE"


class CaptureRequired(Refused):
    """The product must be scanned at this step: scan the unit and send again."""

    code = "CAPTURE_REQUIRED"


class DuplicateSerial(Refused):
    """A unit of this product already bears the serial."""

    code = "DUPLICATE_SERIAL"


class StepNotAllowed(Refused):
    """The unit is not in a state that permits this step; `allowed` lists what it permits."""

    code = "STEP_NOT_ALLOWED"


class UnitPromised(Refused):
    """The unit is promised to somebody else."""

    code = "UNIT_PROMISED"


class UnitBlocked(Refused):
    """The unit is blocked by a quality, recall or fraud hold."""

    code = "UNIT_BLOCKED"


class UnitExpired(Refused):
    """The unit is past its last day: take another one, and set this one aside."""

    code = "UNIT_EXPIRED"


class WrongUnit(Refused):
    """Another unit is meant here; `directed` names the serials that are."""

    code = "WRONG_UNIT"


class OrderOnHold(Refused):
    """Nothing of the order may leave now; `hold` is the reason, `order` its number."""

    code = "ORDER_ON_HOLD"


class OutOfOrder(Refused):
    """It would have happened before an event that it follows: correct the time that is wrong."""

    code = "OUT_OF_ORDER"


class VersionConflict(Refused):
    """The unit changed since it was read: read it again and decide anew."""

    code = "VERSION_CONFLICT"


class RunUnderWay(Refused):
    """The same comparison is under way: `run` names it, and its result will do for both."""

    code = "RUN_UNDER_WAY"


class ContradictsHistory(Refused):
    """A correction would make a later event impossible: correct the event it names first."""

    code = "CONTRADICTS_HISTORY"


class CannotMerge(Refused):
    """The two records are not plainly those of one unit; `reasons` names what stands against it.

    `other_way` says that the other record could end in this one.
    """

    code = "CANNOT_MERGE"


class KeyReused(Refused):
    """The idempotency key was used for another input: use a new key for a new command."""

    code = "IDEMPOTENCY_KEY_REUSED"


class AccountInUse(Refused):
    """Another channel serves this account already; `channel` names it.

    Change that channel, or state that the two share the account.
    """

    code = "ACCOUNT_IN_USE"


class NotEnoughStock(Refused):
    """Fewer units are available than are asked for."""

    code = "NOT_ENOUGH_STOCK"


class Forbidden(Refused):
    """The key that was used may not do this."""

    code = "FORBIDDEN"


class ApprovalNeeded(Refused):
    """A second person has to allow this: send it again, unchanged, once it is approved."""

    code = "APPROVAL_NEEDED"


class KeyRevoked(Refused):
    """The API key was revoked while its stream ran: connect again with another one."""

    code = "KEY_REVOKED"


class LimitExceeded(Refused):
    """More was asked for than one request may carry."""

    code = "LIMIT_EXCEEDED"
