"""Capture firewall: checks the readings of one scan before anything is recorded.

It changes nothing. Accepted readings may be sent to the command that records them, which checks
them again in its own transaction.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from hub import lifecycle
from hub.capture import find, receive
from hub.capture.answers import Capture, CaptureCode, Parts, Purpose, Suggestion, ranked
from hub.capture.reading import parse_readings
from hub.capture.workspace import Workspace, is_other, key_of, look_up
from hub.errors import InvalidInput
from hub.identifiers.device_numbers import EID, MEID, VIN, normalized, space_of
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
    today: date | None = None,
) -> Capture:
    """Parse the readings of one scan and return whether to accept, warn or refuse.

    `product` is the SKU or GTIN that is being handled, `expected` the expected serials or ids. The
    order of the readings does not matter. A day of production behind `today` is refused. Raises
    InvalidInput for too many expected serials or readings.
    """
    if len(expected) > EXPECTED_MAX:
        raise InvalidInput(f"at most {EXPECTED_MAX} expected serials", field="expected")
    workspace = look_up(tx, parse_readings(readings), product, expected)
    _agreeing(workspace)
    _made(workspace, today)
    unit = None
    if purpose is Purpose.FIND:
        unit = find.find(workspace)
        serial = unit["serial"] if unit else _only_serial(workspace)
    else:
        serial = receive.receive(workspace)
        unit = _known(workspace, serial)
    _broken(workspace, nothing_read=serial is None and unit is None)
    return Capture(
        findings=ranked(workspace.findings),
        parts=_parts(workspace, serial),
        product=workspace.product,
        unit=unit,
        allowed=_allowed(unit),
        suggestions=_each_once(workspace.suggestions),
    )


def _agreeing(workspace: Workspace) -> None:
    content = workspace.content
    if content.checks and not content.links <= content.checks:
        wrong = ", ".join(sorted(content.links - content.checks))
        workspace.refuse(
            CaptureCode.CONTRADICTION,
            f"the secondary label belongs to another primary label (link character {wrong}): "
            "scan both labels of one unit",
        )
    for read, what in (
        (content.lots, "lots"),
        (content.expiries, "days of expiry"),
        (content.productions, "days of production"),
    ):
        if len(read) > 1:
            workspace.refuse(
                CaptureCode.CONTRADICTION, f"two {what} were read: {', '.join(sorted(read))}"
            )
    for space in (EID, MEID, VIN):
        numbers = {normalized(*each) for each in content.identifiers if space_of(each[0]) == space}
        if len(numbers) > 1:
            workspace.refuse(
                CaptureCode.CONTRADICTION,
                f"two of one kind ({space}) were read: {', '.join(sorted(numbers))}",
            )
    if (
        content.productions
        and content.expiries
        and min(content.expiries) < max(content.productions)
    ):
        workspace.warn(CaptureCode.CONTRADICTION, "it expires before it was made")


def _made(workspace: Workspace, today: date | None) -> None:
    for each in sorted(workspace.content.productions):
        if today is not None and date.fromisoformat(each) > today + timedelta(days=1):
            workspace.refuse(
                CaptureCode.CONTRADICTION, f"the day of production, {each}, is still to come"
            )


def _broken(workspace: Workspace, *, nothing_read: bool) -> None:
    """Warn of broken barcodes; refuse them only if nothing else was read."""
    for wrong in sorted(workspace.content.broken):
        (workspace.refuse if nothing_read else workspace.warn)(CaptureCode.BROKEN_BARCODE, wrong)
    if nothing_read and workspace.content.broken:
        # "No serial" would suggest another label: this one must be read again.
        # Nor is it the product that lacks, where the barcode that cannot be read holds it.
        content = workspace.content
        moot = {CaptureCode.NO_SERIAL, CaptureCode.WRONG_BARCODE}
        if not content.gtins and not content.presumed and not content.texts:
            moot |= {CaptureCode.UNKNOWN_PRODUCT} if workspace.product is None else set()
        workspace.findings = [each for each in workspace.findings if each.code not in moot]


def _known(workspace: Workspace, serial: str | None) -> Row | None:
    """Return the known unit of a serial or of an internal label, if any."""
    key = key_of(serial) if serial else None
    for unit_id, unit in workspace.met.items():
        of_product = workspace.product is not None and unit["product_id"] == workspace.product["id"]
        bears_it = of_product and unit["serial_canonical"] == key and not is_other(unit, serial)
        if unit_id in workspace.content.ids or bears_it:
            return unit
    return None


def _only_serial(workspace: Workspace) -> str | None:
    read = workspace.content.serials or workspace.content.texts
    return next(iter(read.values())) if len(read) == 1 else None


def _parts(workspace: Workspace, serial: str | None) -> Parts:
    content = workspace.content
    key = key_of(serial) if serial else None
    others = {
        *(text for other, text in (content.texts | content.serials).items() if other != key),
        *(digits for digits in content.presumed.values() if key_of(digits) != key),
        *content.devices,
        *content.notes,
    }
    return Parts(
        serial=serial,
        identifiers=tuple(sorted(each for each in content.identifiers if key_of(each[1]) != key)),
        lot=min(content.lots) if len(content.lots) == 1 else None,
        expires_on=_day(content.expiries),
        produced_on=_day(content.productions),
        ssccs=tuple(sorted(content.ssccs)),
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
