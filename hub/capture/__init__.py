"""The capture firewall: readings of a scanner, sorted and judged before anything is recorded.

It changes nothing. What it accepts may be sent on as it stands to the command that records it,
which checks again, in its own transaction, what only a transaction can promise.
"""

from collections.abc import Sequence
from datetime import date

from hub import lifecycle
from hub.capture import find, receive
from hub.capture.answers import Capture, CaptureCode, Parts, Purpose, Suggestion, ranked
from hub.capture.reading import sort_out
from hub.capture.workspace import Desk, key_of, lay_out
from hub.errors import InvalidInput
from hub.lifecycle import Status
from hub.storage.sql import Row, Transaction

EXPECTED_MAX = 1_000


def capture(
    tx: Transaction,
    readings: Sequence[str],
    *,
    purpose: Purpose,
    product: str | None = None,
    expected: Sequence[str] = (),
) -> Capture:
    """Sort out what was read and say whether to go on, look twice, or stop.

    `product` is the SKU or GTIN that is being handled, `expected` the serials or ids that should
    come. The order of the readings does not matter.
    """
    if len(expected) > EXPECTED_MAX:
        raise InvalidInput(f"at most {EXPECTED_MAX} expected serials", field="expected")
    desk = lay_out(tx, sort_out(readings), product, expected)
    _agreeing(desk)
    unit = None
    if purpose is Purpose.FIND:
        unit = find.find(desk)
        serial = unit["serial"] if unit else _only_serial(desk)
    else:
        serial = receive.receive(desk)
        unit = _known(desk, serial)
    _broken(desk, nothing_read=serial is None and unit is None)
    return Capture(
        findings=ranked(desk.findings),
        parts=_parts(desk, serial),
        product=desk.product,
        unit=unit,
        allowed=_allowed(unit),
        suggestions=_each_once(desk.suggestions),
    )


def _agreeing(desk: Desk) -> None:
    told = desk.told
    for read, what in (
        (told.lots, "lots"),
        (told.expiries, "days of expiry"),
        (told.productions, "days of production"),
    ):
        if len(read) > 1:
            desk.refuse(
                CaptureCode.CONTRADICTION, f"two {what} were read: {', '.join(sorted(read))}"
            )
    if told.productions and told.expiries and min(told.expiries) < max(told.productions):
        desk.warn(CaptureCode.CONTRADICTION, "it expires before it was made")


def _broken(desk: Desk, *, nothing_read: bool) -> None:
    """A broken barcode stops nothing that the others say without it."""
    for wrong in sorted(desk.told.broken):
        (desk.refuse if nothing_read else desk.warn)(CaptureCode.BROKEN_BARCODE, wrong)
    if nothing_read and desk.told.broken:
        # "No serial" would send the person to another label: this one must be read again.
        desk.findings = [each for each in desk.findings if each.code is not CaptureCode.NO_SERIAL]


def _known(desk: Desk, serial: str | None) -> Row | None:
    """Return the unit that a serial which arrives, or an internal label, names already."""
    key = key_of(serial) if serial else None
    for unit_id, unit in desk.met.items():
        of_product = desk.product is not None and unit["product_id"] == desk.product["id"]
        if unit_id in desk.told.ids or (of_product and unit["serial_canonical"] == key):
            return unit
    return None


def _only_serial(desk: Desk) -> str | None:
    read = desk.told.serials or desk.told.texts
    return next(iter(read.values())) if len(read) == 1 else None


def _parts(desk: Desk, serial: str | None) -> Parts:
    told = desk.told
    key = key_of(serial) if serial else None
    others = {
        *(text for other, text in (told.texts | told.serials).items() if other != key),
        *(digits for digits in told.presumed.values() if key_of(digits) != key),
        *told.devices,
    }
    return Parts(
        serial=serial,
        identifiers=tuple(sorted(each for each in told.identifiers if key_of(each[1]) != key)),
        lot=min(told.lots) if len(told.lots) == 1 else None,
        expires_on=_day(told.expiries),
        produced_on=_day(told.productions),
        ssccs=tuple(sorted(told.ssccs)),
        others=tuple(sorted(others)),
    )


def _day(read: set[str]) -> date | None:
    return date.fromisoformat(min(read)) if len(read) == 1 else None


def _allowed(unit: Row | None) -> tuple[lifecycle.Action, ...]:
    if unit is None:
        return ()
    promised, blocked = unit["promised_to"] is not None, unit["blocks"] > 0
    return tuple(lifecycle.allowed(Status(unit["status"]), promised=promised, blocked=blocked))


def _each_once(suggestions: list[Suggestion]) -> tuple[Suggestion, ...]:
    found: dict[tuple[str, str | None], Suggestion] = {}
    for each in suggestions:
        found.setdefault((each.serial, each.unit_id), each)
    return tuple(found.values())
