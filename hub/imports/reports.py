"""Import runs and their rows, page by page, and the export of refused rows for correction."""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TypedDict

from hub.errors import UnknownReference
from hub.imports.reading import ESCAPED, EXPORTED, Source
from hub.storage.database import Database
from hub.storage.paging import Filter, page_size
from hub.storage.rows import ImportRunRow
from hub.storage.sql import Row, Transaction

PAGE_ROWS = 5_000


def listed(
    tx: Transaction, *, first: int, before: str | None, state: str | None = None
) -> list[Row]:
    """Return runs, the newest first, one more than `first`."""
    wanted = Filter()
    wanted.add("id < :before", before=before)
    wanted.add("state = :state", state=state)
    return tx.rows(
        f"SELECT * FROM import_run {wanted.where()}ORDER BY id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def by_id(tx: Transaction, run_id: str) -> ImportRunRow:
    """Return a run; raises UnknownReference."""
    row = tx.row_as(ImportRunRow, "SELECT * FROM import_run WHERE id = :id", id=run_id)
    if row is None:
        raise UnknownReference(f"there is no import run {run_id!r}", field="import_run")
    return row


def rows_of(
    tx: Transaction,
    run_id: str,
    *,
    first: int,
    after: str | None,
    refused_only: bool = False,
    warned_only: bool = False,
    code: str | None = None,
) -> list[Row]:
    """Return rows of a run in the order of the file, one more than `first`."""
    wanted = Filter()
    wanted.add("run_id = :run", run=run_id)
    wanted.add("id > :after", after=after)
    wanted.add("code = :code", code=code)
    if refused_only:
        wanted.add("code IS NOT NULL")
    if warned_only:
        wanted.add("warning IS NOT NULL")
    return tx.rows(
        f"SELECT * FROM import_row {wanted.where()}ORDER BY id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


class RefusedCount(TypedDict):
    """Number of refused rows with a code, and the first of their row numbers."""

    code: str
    rows: int
    first: int


class _RefusedRow(TypedDict):
    number: int
    code: str
    message: str | None


def tally(tx: Transaction, run_id: str) -> list[RefusedCount]:
    """Count the refused rows of a run by their codes."""
    return tx.rows_as(
        RefusedCount,
        "SELECT code, COUNT(*) AS rows, MIN(number) AS first FROM import_row "
        "WHERE run_id = :run AND code IS NOT NULL GROUP BY code ORDER BY code",
        run=run_id,
    )


def export_refused(database: Database, run_id: str, source: Source, target: Path) -> int:
    """Write the refused rows of the file, each with its code and reason; return their number.

    The result can be imported once it is corrected.
    """
    written = 0
    refused = _refused(database, run_id)
    row = next(refused, None)
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        # Exported again, a file gets these columns anew.
        kept = [index for index, name in enumerate(source.columns) if name not in EXPORTED]
        writer.writerow([*(source.columns[index] for index in kept), *EXPORTED])
        for raw in source.rows():
            if row is None:
                break
            if raw.number == row["number"]:
                cells = [*raw.cells, *[""] * (len(source.columns) - len(raw.cells))]
                writer.writerow([
                    *(_harmless(cells[index]) for index in kept),
                    raw.number,
                    row["code"],
                    row["message"],
                ])  # fmt: skip
                written += 1
                row = next(refused, None)
    return written


def _refused(database: Database, run_id: str) -> Iterator[_RefusedRow]:
    number = 0
    while True:
        rows = database.read_now(partial(_page_of_refused, run_id=run_id, after=number))
        if not rows:
            return
        yield from rows
        number = rows[-1]["number"]


def _page_of_refused(tx: Transaction, run_id: str, after: int) -> list[_RefusedRow]:
    return tx.rows_as(
        _RefusedRow,
        "SELECT number, code, message FROM import_row WHERE run_id = :run "
        "AND code IS NOT NULL AND number > :after ORDER BY number LIMIT :limit",
        run=run_id,
        after=after,
        limit=PAGE_ROWS,
    )


def _harmless(cell: str) -> str:
    """Mark a formula, so that a spreadsheet shows it and does not execute it.

    The mark is removed when the file is imported, so that a cell is the same again.
    """
    return f"'{cell}" if cell.startswith(ESCAPED) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    return cell[1:].replace(".", "", 1).isdigit()
