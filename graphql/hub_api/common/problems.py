"""Refusals are answers: each of the ledger's errors is a GraphQL type, made in one place.

Mutations return a union of their result and the problems; a query that is refused answers with an
error whose `extensions.code` is the same code.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Union

import strawberry

from connectors.registry import ConnectorUnknown, SettingsInvalid
from hub import errors
from hub.access.vault import WrongKey
from hub.errors import Refused
from hub.storage.database import TROUBLES, ReadTooLong
from hub.unit_records.merging import MergeObstacle
from hub.vocabulary import HoldReason
from hub_api.engine.wire import TRY_AGAIN


class ProblemCode(StrEnum):
    """What a client acts on: one code for each type of problem."""

    INVALID_BARCODE = "INVALID_BARCODE"
    INVALID_INPUT = "INVALID_INPUT"
    UNKNOWN_UNIT = "UNKNOWN_UNIT"
    AMBIGUOUS_UNIT = "AMBIGUOUS_UNIT"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    DUPLICATE_SERIAL = "DUPLICATE_SERIAL"
    CAPTURE_REQUIRED = "CAPTURE_REQUIRED"
    STEP_NOT_ALLOWED = "STEP_NOT_ALLOWED"
    UNIT_PROMISED = "UNIT_PROMISED"
    UNIT_BLOCKED = "UNIT_BLOCKED"
    UNIT_EXPIRED = "UNIT_EXPIRED"
    WRONG_UNIT = "WRONG_UNIT"
    ORDER_ON_HOLD = "ORDER_ON_HOLD"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    CONTRADICTS_HISTORY = "CONTRADICTS_HISTORY"
    CANNOT_MERGE = "CANNOT_MERGE"
    RUN_UNDER_WAY = "RUN_UNDER_WAY"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    NOT_ENOUGH_STOCK = "NOT_ENOUGH_STOCK"
    ACCOUNT_IN_USE = "ACCOUNT_IN_USE"
    FORBIDDEN = "FORBIDDEN"
    APPROVAL_NEEDED = "APPROVAL_NEEDED"


strawberry.enum(ProblemCode, description="Stable code of a problem; its type says the same.")


@strawberry.interface(description="Why nothing was done. `code` never changes; act on it.")
class Problem:
    code: ProblemCode
    message: str


@strawberry.type(description="A value is malformed; correct it and send again.")
class InvalidInput(Problem):
    field: str | None = strawberry.field(description="The input field at fault.", default=None)


@strawberry.type(description="The reading cannot be a serial: scan the serial label.")
class InvalidBarcode(Problem):
    """What was read can not be a serial."""

    read: str | None = strawberry.field(description="Reading of the scanner.", default=None)


@strawberry.type(description="No unit bears this identifier.")
class UnknownUnit(Problem):
    identifier: str | None = None


@strawberry.type(description="Several units bear this identifier: name the product too.")
class AmbiguousUnit(Problem):
    skus: list[str] = strawberry.field(description="Whose units they are.", default_factory=list)


@strawberry.type(description="A record that is named does not exist.")
class UnknownReference(Problem):
    field: str | None = strawberry.field(
        description="Input field that names the missing record.", default=None
    )


@strawberry.type(description="A unit of this product already bears the serial.")
class DuplicateSerial(Problem):
    status: str | None = strawberry.field(description="Where that unit stands.", default=None)


@strawberry.type(description="The product must be scanned at this step: scan the unit.")
class CaptureRequired(Problem):
    action: str | None = strawberry.field(description="The step that needs a scan.", default=None)
    captured_by: str | None = strawberry.field(description="How it was captured.", default=None)


@strawberry.type(description="The unit is not in a state that permits this step.")
class StepNotAllowed(Problem):
    allowed: list[str] = strawberry.field(
        description="Steps that the unit permits.", default_factory=list
    )


@strawberry.type(description="The unit is promised to somebody else.")
class UnitPromised(Problem):
    reference: str | None = strawberry.field(description="To what.", default=None)


@strawberry.type(description="The unit is blocked by a quality, recall or fraud hold.")
class UnitBlocked(Problem):
    allowed: list[str] = strawberry.field(
        description="Steps that the unit permits.", default_factory=list
    )


@strawberry.type(description="The unit is past its last day: take another one.")
class UnitExpired(Problem):
    expires_on: str | None = strawberry.field(description="Its last day.", default=None)


@strawberry.type(description="Another unit is meant here.")
class WrongUnit(Problem):
    directed: list[str] = strawberry.field(
        description="The serials of those that are meant.", default_factory=list
    )


@strawberry.type(description="Nothing of the order may leave now.")
class OrderOnHold(Problem):
    hold: HoldReason | None = strawberry.field(description="Why.", default=None)
    order: str | None = strawberry.field(description="Number of the order.", default=None)


@strawberry.type(description="It would precede an event that it follows: correct its time.")
class OutOfOrder(Problem):
    follows: str | None = strawberry.field(description="When that event happened.", default=None)


@strawberry.type(description="The unit changed since it was read: read it again.")
class VersionConflict(Problem):
    version: int | None = strawberry.field(description="Its version now.", default=None)


@strawberry.type(description="A later event would be impossible: correct that one first.")
class ContradictsHistory(Problem):
    prevented_by: strawberry.ID | None = strawberry.field(description="That event.", default=None)
    action: str | None = strawberry.field(
        description="Movement that the later event records.", default=None
    )


@strawberry.type(description="The two records are not plainly those of one unit.")
class CannotMerge(Problem):
    reasons: list[MergeObstacle] = strawberry.field(
        description="Obstacles, each of its kind.", default_factory=list
    )
    other_way: bool = strawberry.field(
        description="The other record could end in this one: exchange the two.", default=False
    )


@strawberry.type(description="The same comparison is under way: its result will do for both.")
class RunUnderWay(Problem):
    run: str | None = strawberry.field(description="The id of that run.", default=None)


@strawberry.type(description="The idempotency key was used for another input.")
class IdempotencyKeyReused(Problem):
    key: str | None = None


@strawberry.type(description="Fewer units are available than are asked for.")
class NotEnoughStock(Problem):
    available: int | None = strawberry.field(
        description="How many there are; null without the scope `quantities`.", default=None
    )
    skus: list[str] = strawberry.field(
        description="SKUs of which there are too few.", default_factory=list
    )


@strawberry.type(description="Another channel serves this account: each order would come twice.")
class AccountInUse(Problem):
    channel: str | None = strawberry.field(description="The code of that channel.", default=None)


@strawberry.type(description="The API key may not do this.")
class Forbidden(Problem):
    needs: str | None = strawberry.field(description="The scope that may.", default=None)


@strawberry.type(description="A second person approves first: then send it again, unchanged.")
class ApprovalNeeded(Problem):
    approval: strawberry.ID | None = strawberry.field(
        description="Id of the request, for `approveRequest`.", default=None
    )
    expires_at: str | None = strawberry.field(
        description="When the request ends unless it is used.", default=None
    )


# The type of each refusal; subclasses of an error are found by their nearest ancestor.
TYPES: dict[type[Refused], type[Problem]] = {
    errors.InvalidBarcode: InvalidBarcode,
    errors.InvalidInput: InvalidInput,
    errors.UnknownUnit: UnknownUnit,
    errors.AmbiguousUnit: AmbiguousUnit,
    errors.UnknownReference: UnknownReference,
    errors.DuplicateSerial: DuplicateSerial,
    errors.CaptureRequired: CaptureRequired,
    errors.StepNotAllowed: StepNotAllowed,
    errors.UnitPromised: UnitPromised,
    errors.UnitBlocked: UnitBlocked,
    errors.UnitExpired: UnitExpired,
    errors.WrongUnit: WrongUnit,
    errors.OrderOnHold: OrderOnHold,
    errors.OutOfOrder: OutOfOrder,
    errors.VersionConflict: VersionConflict,
    errors.ContradictsHistory: ContradictsHistory,
    errors.CannotMerge: CannotMerge,
    errors.RunUnderWay: RunUnderWay,
    errors.KeyReused: IdempotencyKeyReused,
    errors.NotEnoughStock: NotEnoughStock,
    errors.AccountInUse: AccountInUse,
    errors.Forbidden: Forbidden,
    errors.ApprovalNeeded: ApprovalNeeded,
}
BY_CODE = {error.code: shown for error, shown in TYPES.items()}

AnyProblem = Union[  # noqa: UP007 # a union of values that are computed is not written with |
    InvalidInput,
    InvalidBarcode,
    UnknownUnit,
    AmbiguousUnit,
    UnknownReference,
    StepNotAllowed,
    OrderOnHold,
    IdempotencyKeyReused,
    Forbidden,
    ApprovalNeeded,
]


def answer(name: str, result: type) -> Any:
    """Return the union of a mutation's result and every problem that a whole command may have."""
    return Annotated[Union[result, AnyProblem], strawberry.union(name)]  # noqa: UP007


def problem(code: str, message: str, details: Mapping[str, Any] | None) -> Problem:
    """Turn a refusal's code, words and details into its type."""
    shown = BY_CODE[code]
    given = dict(details or {})
    if shown is OrderOnHold and given.get("hold"):
        given["hold"] = HoldReason(given["hold"])
    if shown is CannotMerge:
        given["reasons"] = [MergeObstacle(each) for each in given.get("reasons", ())]
    names = shown.__dataclass_fields__.keys() & given.keys()
    return shown(code=ProblemCode(code), message=message, **{name: given[name] for name in names})


class _Handler(strawberry.ExceptionHandler):  # type: ignore[type-arg] # its types are set below
    def __init__(self, refusal: type[Refused], shown: type[Problem]) -> None:
        self.exception_type = refusal
        self.error_type = shown

    def handle(self, exception: Refused, *, field: object, info: object) -> Problem:  # noqa: ARG002
        return problem(exception.code, str(exception), exception.details)


HANDLERS = [_Handler(refusal, shown) for refusal, shown in TYPES.items()]


def expose(error: BaseException) -> Mapping[str, Any] | None:
    """Say what a query's error may show: refusals are meant for the caller, bugs are not."""
    if isinstance(error, Refused):
        return {"code": error.code, **error.details}
    if isinstance(error, WrongKey):
        return {"code": "WRONG_KEY"}
    if isinstance(error, ReadTooLong):
        return {"code": "TIMEOUT"}
    if isinstance(error, TROUBLES):
        return {"code": TRY_AGAIN}
    return None


def settings_problem(error: SettingsInvalid | ConnectorUnknown) -> errors.InvalidInput:
    """Turn what is wrong with a channel's settings into a refusal."""
    return errors.InvalidInput(str(error), field="settings")
