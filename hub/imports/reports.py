"""Runs of imports and their rows, for those who look; and the refused rows as a file to mend."""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hub.catalogue import reference
from hub.imports.reading import Source
from hub.storage.database import Database
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Row, Transaction

EXTRA = ("row", "code", "message")
PAGE_ROWS = 5_000


def listed(
    tx: Transaction, *, first: int, before: str | None, state: str | None = None
) -> list[Row]:
    """Return runs, the newest first, one more than asked for."""
    wanted = Filter()
    wanted.add("id < :before", before=before)
    wanted.add("state = :state", state=state)
    return tx.rows(
        f"SELECT * FROM import_run {wanted.where()}ORDER BY id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def by_id(tx: Transaction, run_id: str) -> Row:
    """Return a run, or raise UnknownReference."""
    return reference(tx, "import_run", "id", run_id)


def rows_of(
    tx: Transaction,
    run_id: str,
    *,
    first: int,
    after: str | None,
    refused_only: bool = False,
    code: str | None = None,
) -> list[Row]:
    """Return rows of a run in the order of the file, one more than asked for."""
    wanted = Filter()
    wanted.add("run_id = :run", run=run_id)
    wanted.add("id > :after", after=after)
    wanted.add("code = :code", code=code)
    if refused_only:
        wanted.add("code IS NOT NULL")
    return tx.rows(
        f"SELECT * FROM import_row {wanted.where()}ORDER BY id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def tally(tx: Transaction, run_id: str) -> list[Row]:
    """Count the refused rows of a run by their codes."""
    return tx.rows(
        "SELECT code, COUNT(*) AS rows, MIN(number) AS first FROM import_row "
        "WHERE run_id = :run AND code IS NOT NULL GROUP BY code ORDER BY code",
        run=run_id,
    )


def export_refused(database: Database, run_id: str, source: Source, target: Path) -> int:
    """Write the refused rows as they stand in the file, each with its code and reason.

    The result, once it is mended, can be imported as it is. Returns how many rows it has.
    """
    written = 0
    refused = _refused(database, run_id)
    row = next(refused, None)
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*source.columns, *(f"import {name}" for name in EXTRA)])
        for raw in source.rows():
            if row is None:
                break
            if raw.number == row["number"]:
                cells = [*raw.cells, *[""] * (len(source.columns) - len(raw.cells))]
                writer.writerow([
                    *(_harmless(cell) for cell in cells),
                    raw.number,
                    row["code"],
                    row["message"],
                ])  # fmt: skip
                written += 1
                row = next(refused, None)
    return written


def _refused(database: Database, run_id: str) -> Iterator[Row]:
    number = 0
    while True:
        rows = database.read_now(partial(_page_of_refused, run_id=run_id, after=number))
        if not rows:
            return
        yield from rows
        number = rows[-1]["number"]


def _page_of_refused(tx: Transaction, run_id: str, after: int) -> list[Row]:
    return tx.rows(
        "SELECT number, code, message FROM import_row WHERE run_id = :run "
        "AND code IS NOT NULL AND number > :after ORDER BY number LIMIT :limit",
        run=run_id,
        after=after,
        limit=PAGE_ROWS,
    )


def _harmless(cell: str) -> str:
    """Write a formula so that a spreadsheet shows it and does not run it."""
    return f"'{cell}" if cell[:1] in {"=", "@", "+", "-"} and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    return cell[1:].replace(".", "", 1).isdigit()
