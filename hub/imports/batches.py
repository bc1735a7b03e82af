"""One batch of an import: its rows are checked together and written in groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from hub.catalogue import OUTSIDE_KINDS, CatalogueProductRow, products_by_code
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import DuplicateSerial, Refused, UnknownReference
from hub.imports.plan import Wanted, at_noon, by_evening
from hub.imports.rows import RowCode
from hub.inbound import receiving, serialization
from hub.inbound.unserialized_stock import Shelf
from hub.ledger import commissioning, look_alikes
from hub.ledger.arrivals import RECEIPT
from hub.ledger.commissioning import Admitted
from hub.ledger.event_writer import Verdict
from hub.lifecycle import Action
from hub.storage.rows import LocationRow
from hub.storage.sql import Transaction

MESSAGE_CHARS_MAX = 500
STEPS = (Action.RECEIVE, Action.PUT_AWAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVerdict:
    """Result of one row: its unit, or its refusal."""

    number: int
    serial: str
    unit_id: str | None = None
    code: str | None = None
    message: str | None = None
    warning: str | None = None  # of an accepted row


@dataclass(slots=True)
class Tried:
    """Units that a dry run has counted against unserialized stock, by the rows of that stock."""

    taken: dict[str, int] = field(default_factory=dict)

    def add(self, taken: Mapping[str, int]) -> None:
        """Add the units of one more batch."""
        for row_id, count in taken.items():
            self.taken[row_id] = self.taken.get(row_id, 0) + count


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a batch."""

    verdicts: dict[int, RowVerdict]
    accepted: list[int]
    taken: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of one batch, by their numbers; `refused` were refused before."""

    run_id: str
    first: int
    count: int
    wanted: dict[int, Wanted]
    refused: dict[int, RowVerdict]
    unserialized_stock: bool
    dry_run: bool
    spent: dict[str, int]  # by a dry run, of unserialized stock

    def carry_out(self, tx: Transaction, context: CommandContext) -> Outcome:
        """Check the rows, and write their units unless it is a dry run."""
        verdicts = dict(self.refused)
        places = _places(tx, {each.location for each in self.wanted.values()})
        placed = {}
        for number, each in self.wanted.items():
            if each.location in places:
                placed[number] = each
            else:
                text = f"there is no location {each.location!r} inside"
                verdicts[number] = self._refuse(number, RowCode.UNKNOWN_LOCATION, text)
        admitted = self._admitted(tx, context, placed, verdicts)
        taken = self._from_old_stock(tx, context, admitted, places, verdicts)
        if self.dry_run:
            warnings = look_alikes.warnings(tx, admitted)
            for number in admitted:
                verdicts[number] = RowVerdict(
                    number=number, serial=self._serial(number), warning=warnings.get(number)
                )
        else:
            self._write(tx, context, admitted, places, verdicts)
        accepted = [number for number, each in verdicts.items() if each.code is None]
        return Outcome(verdicts=verdicts, accepted=accepted, taken=taken)

    def _serial(self, number: int) -> str:
        return self.wanted[number].arrival.serial[:200]

    def _refuse(self, number: int, code: str, message: str) -> RowVerdict:
        return RowVerdict(
            number=number,
            serial=self._serial(number),
            code=str(code),
            message=message[:MESSAGE_CHARS_MAX],
        )

    def _admitted(
        self,
        tx: Transaction,
        context: CommandContext,
        placed: Mapping[int, Wanted],
        verdicts: dict[int, RowVerdict],
    ) -> dict[int, Admitted]:
        """Check the commissioning of the units; a refused one gets its result."""
        steps = () if self.unserialized_stock else STEPS
        checked = commissioning.admit(
            tx,
            context,
            [each.arrival for each in placed.values()],
            *steps,
            expected=not self.unserialized_stock,
        )
        gtins = sorted({each.gtin for each in placed.values() if each.gtin})
        named = products_by_code(tx, gtins)
        admitted = {}
        for number, each in zip(placed, checked, strict=True):
            if isinstance(each, Refused):
                verdicts[number] = self._refuse(number, code_of(each), str(each))
            elif (text := _conflict(each, placed[number].gtin, named)) is not None:
                verdicts[number] = self._refuse(number, RowCode.PRODUCT_CONFLICT, text)
            else:
                admitted[number] = each
        return admitted

    def _from_old_stock(
        self,
        tx: Transaction,
        context: CommandContext,
        admitted: dict[int, Admitted],
        places: Mapping[str, LocationRow],
        verdicts: dict[int, RowVerdict],
    ) -> dict[str, int]:
        """Deduct the units of products with unserialized stock from that stock."""
        if not self.unserialized_stock:
            return {}
        old = {
            number: each
            for number, each in admitted.items()
            if each.product["tracked_since"] is not None
        }
        shelf = Shelf(tx, [each.product["id"] for each in old.values()], lock=not self.dry_run)
        if self.dry_run:
            shelf.spend(self.spent)
        for number, each in old.items():
            place = places[self.wanted[number].location]
            try:
                shelf.take(shelf.find(each.product["id"], place))
            except Refused as refusal:
                del admitted[number]
                verdicts[number] = self._refuse(number, refusal.code, str(refusal))
        if not self.dry_run:
            shelf.write(context)
        return shelf.taken

    def _write(
        self,
        tx: Transaction,
        context: CommandContext,
        admitted: Mapping[int, Admitted],
        places: Mapping[str, LocationRow],
        verdicts: dict[int, RowVerdict],
    ) -> None:
        groups: dict[tuple[str, date | None, bool], list[int]] = {}
        for number, each in admitted.items():
            wanted = self.wanted[number]
            key = (wanted.location, wanted.received_on, each.expected_id is not None)
            groups.setdefault(key, []).append(number)
        fields: list[tuple[str, str, str]] = []
        for (code, day, awaited), numbers in sorted(
            groups.items(), key=lambda group: (group[0][0], str(group[0][1]), group[0][2])
        ):
            # A unit with a record was announced before it arrived, at some time of that day.
            when = (by_evening if awaited else at_noon)(day, context.now) if day else None
            dated = replace(context, occurred_at=when)
            units = [admitted[number] for number in numbers]
            done = self._group(tx, dated, units, places[code], awaited=awaited)
            for number, verdict in zip(numbers, done, strict=True):
                verdicts[number] = RowVerdict(
                    number=number,
                    serial=self._serial(number),
                    unit_id=verdict.unit_id,
                    code=verdict.code,
                    message=verdict.message,
                    warning=verdict.warning,
                )
                if verdict.accepted and verdict.unit_id:
                    fields += [(verdict.unit_id, *each) for each in self.wanted[number].fields]
        _keep_fields(tx, context, fields)

    def _group(
        self,
        tx: Transaction,
        context: CommandContext,
        units: list[Admitted],
        place: LocationRow,
        *,
        awaited: bool,
    ) -> list[Verdict]:
        """Record the units that arrived at one place on one day."""
        if awaited:
            arrivals = [each.arrival for each in units]
            return receiving.receive(Work(tx, context, self.run_id), arrivals, place, put_away=True)
        origin = serialization.commissioning_of(context) if self.unserialized_stock else RECEIPT
        return receiving.commission_admitted(Work(tx, context, self.run_id), units, place, origin)


def _conflict(
    admitted: Admitted, gtin: str | None, named: Mapping[str, CatalogueProductRow]
) -> str | None:
    """Return how the GTIN of a row contradicts its product, or None."""
    product = admitted.product
    if gtin is None or gtin.zfill(14) == product["gtin"]:
        return None
    if (other := named.get(gtin)) is not None and other["id"] != product["id"]:
        return f"the row names {product['sku']}, and its GTIN {gtin} is that of {other['sku']}"
    if product["gtin"] is not None:
        return f"{product['sku']} has the GTIN {product['gtin']}, and the row says {gtin}"
    return None


def code_of(refusal: Refused) -> str:
    """Return the code of a refusal for a file."""
    if isinstance(refusal, DuplicateSerial) and refusal.details.get("status") == "in this batch":
        return RowCode.DUPLICATE_IN_FILE
    if isinstance(refusal, UnknownReference) and refusal.details.get("field") == "product":
        return RowCode.UNKNOWN_PRODUCT
    return refusal.code


def _places(tx: Transaction, codes: set[str]) -> dict[str, LocationRow]:
    rows = tx.rows_as(
        LocationRow, "SELECT * FROM location WHERE code IN (:codes...)", codes=sorted(codes)
    )
    return {row["code"]: row for row in rows if row["kind"] not in OUTSIDE_KINDS}


def _keep_fields(
    tx: Transaction, context: CommandContext, fields: list[tuple[str, str, str]]
) -> None:
    tx.run_many(
        "INSERT INTO unit_field(id, unit_id, name, value, changed_at) "
        "VALUES(:id, :unit_id, :name, :value, :now) ON CONFLICT(unit_id, name) DO UPDATE "
        "SET value = excluded.value, changed_at = excluded.changed_at",
        [
            {
                "id": new_id(),
                "unit_id": unit_id,
                "name": name,
                "value": value,
                "now": micros(context.now),
            }
            for unit_id, name, value in fields
        ],
    )
