"""The command `serial-hub import`: imports a file, with a progress bar and a summary."""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hub.clock import now
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.imports.plan import Plan
from hub.imports.reports import by_id, export_refused, tally
from hub.imports.running import BATCH_ROWS, CANCELLED, Run, Told, begin, carry_out
from hub.storage.database import Database

ACTOR = "serial-hub import"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the command."""
    parser.add_argument("file", type=Path, help="CSV, XLSX or Parquet")
    parser.add_argument("--location", help="where the units are, unless a column says so")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=FIELD",
        help="what a column holds: serial, product, gtin, lot, identifier:SCHEME, field:NAME, -",
    )
    parser.add_argument("--product", help="SKU or GTIN of rows that name none")
    parser.add_argument("--encoding", help="of a CSV, such as cp1252; found by itself otherwise")
    parser.add_argument("--sheet", help="of a workbook; otherwise the first that is not hidden")
    parser.add_argument("--delimiter", help="of a CSV; found by itself otherwise")
    parser.add_argument("--dry-run", action="store_true", help="give verdicts, change nothing")
    parser.add_argument("--resume", action="store_true", help="go on with a run broken off")
    parser.add_argument("--unserialized-stock", action="store_true", help="the units are old stock")
    parser.add_argument("--batch", type=int, default=BATCH_ROWS, help="rows in one transaction")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--refused", type=Path, metavar="CSV", help="write the refused rows there")


def run(database: Database, options: argparse.Namespace) -> Run:
    """Import a file and print the result."""
    if not options.file.is_file():
        raise InvalidInput(f"there is no file {options.file}", field="file")
    plan = Plan(
        location=options.location,
        product=options.product,
        columns=mapping(options.map),
        delimiter=options.delimiter,
        encoding=options.encoding,
        sheet=options.sheet,
        unserialized_stock=options.unserialized_stock,
    )
    context = CommandContext(actor=ACTOR, now=now())
    started = begin(
        database, context, options.file, plan, dry_run=options.dry_run, resume=options.resume
    )
    if started.state == "finished":
        sys.stdout.write("This file was read in before; nothing was done again.\n")
    with _watched(started) as told:
        done = carry_out(
            database,
            context,
            started,
            batch_rows=options.batch,
            told=told,
            seconds_max=options.minutes * 60,
        )
    _summary(database, done)
    if options.refused is not None:
        count = export_refused(database, done.id, done.source, options.refused)
        sys.stdout.write(f"{count} refused rows are in {options.refused}\n")
    return done


def mapping(pairs: Sequence[str]) -> dict[str, str]:
    """Read COLUMN=FIELD; the last equals sign counts, a column's name may have others."""
    found: dict[str, str] = {}
    for pair in pairs:
        column, sign, name = pair.rpartition("=")
        if not sign or not column:
            raise InvalidInput(f"say COLUMN=FIELD, not {pair!r}", field="map")
        found[column] = name
    return found


@contextmanager
def _watched(run: Run) -> Iterator[Told]:
    """Show a progress bar on a terminal; elsewhere nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("rows", total=run.source.total, completed=run.done)
        yield lambda each: bar.update(
            task, completed=each.done, description=f"rows, {each.refused} refused"
        )


def _summary(database: Database, run: Run) -> None:
    tried = " (a dry run: nothing was changed)" if run.dry_run else ""
    if run.state == CANCELLED:
        sys.stdout.write("This run was cancelled; resume it to read the other rows.\n")
    sys.stdout.write(f"{run.done} rows: {run.accepted} accepted, {run.refused} refused{tried}\n")
    warned = database.read_now(lambda tx: by_id(tx, run.id))["warned"]
    if warned:
        sys.stdout.write(f"{warned} serials look like known ones: compare them\n")
    for row in database.read_now(lambda tx: tally(tx, run.id)):
        sys.stdout.write(f"  {row['code']}: {row['rows']}, first in row {row['first']}\n")
    if run.source.format == "csv" and not run.source.encoding.startswith("utf"):
        sys.stdout.write(f"the file was read as {run.source.encoding}\n")
    if run.columns.ignored:
        sys.stdout.write(f"{run.columns.ignored} columns were left out\n")
    sys.stdout.write(f"run {run.id}\n")
