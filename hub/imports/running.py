"""Execution of an import in batches, each a transaction with its results and its progress."""

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import orjson

from hub.catalogue import location, products_by_code
from hub.clock import micros, new_id
from hub.commands.context import CommandContext, Document
from hub.errors import Refused, StepNotAllowed, UnknownReference
from hub.imports.batches import Batch, Outcome, RowVerdict, Tried
from hub.imports.names import Names, names_of
from hub.imports.plan import Columns, Plan, Wanted
from hub.imports.reading import Source, look
from hub.imports.rows import BadRow, Raw, RowCode
from hub.inbound.serialization import product_code
from hub.storage.database import Database
from hub.storage.rows import ImportRunRow
from hub.storage.sql import Row, Transaction
from hub.vocabulary import CaptureMethod

BATCH_ROWS = 5_000
BATCH_ROWS_MAX = 20_000
NAME_CHARS_MAX = 200
ERROR_CHARS_MAX = 500

CANCELLED = "cancelled"

Told = Callable[["Run"], None]


@dataclass(frozen=True, slots=True)
class _Progress:
    id: str
    state: str
    done: int = 0
    accepted: int = 0
    refused: int = 0


class _Number(TypedDict):
    number: int


class _RunState(TypedDict):
    done: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run over one file, and its progress."""

    id: str
    source: Source
    columns: Columns
    dry_run: bool
    state: str
    done: int = 0
    accepted: int = 0
    refused: int = 0


def begin(
    database: Database,
    context: CommandContext,
    path: Path,
    plan: Plan,
    *,
    name: str | None = None,
    dry_run: bool = False,
    resume: bool = False,
) -> Run:
    """Inspect a file and store its run; no row is processed yet.

    The same file with the same plan is the same run: a finished one stays, an interrupted one needs
    `resume`. A dry run starts again. Raises InvalidInput, or StepNotAllowed without `resume`.
    """
    source = look(path, plan.delimiter, plan.encoding, plan.sheet)
    columns = Columns(source, plan)
    digest = hashlib.sha256(orjson.dumps([source.digest, plan.as_json()])).hexdigest()

    def work(tx: Transaction) -> Run:
        if plan.location is not None:
            location(tx, plan.location)
        row = tx.row_as(
            ImportRunRow,
            "SELECT * FROM import_run WHERE digest = :digest AND dry_run = :dry FOR UPDATE",
            digest=digest,
            dry=dry_run,
        )
        if row is None:
            progress = _note(tx, context, source, digest, name or path.name, dry_run=dry_run)
        elif dry_run and not (resume and row["state"] != "finished"):
            progress = _restart(tx, context, row["id"])
        else:
            progress = _Progress(
                row["id"], row["state"], row["done"], row["accepted"], row["refused"]
            )
            if row["state"] != "finished":
                progress = _resume(tx, progress, resume=resume)
        return Run(
            id=progress.id,
            source=source,
            columns=columns,
            dry_run=dry_run,
            state=progress.state,
            done=progress.done,
            accepted=progress.accepted,
            refused=progress.refused,
        )

    return database.write_now(work)


def _note(
    tx: Transaction,
    context: CommandContext,
    source: Source,
    digest: str,
    name: str,
    *,
    dry_run: bool,
) -> _Progress:
    row: dict[str, Any] = {
        "id": new_id(),
        "name": name[:NAME_CHARS_MAX],
        "digest": digest,
        "format": source.format,
        "dry_run": dry_run,
        "state": "running",
        "total": source.total,
        "done": 0,
        "accepted": 0,
        "refused": 0,
        "started_by": context.actor,
        "started_at": micros(context.now),
    }
    tx.run(
        f"INSERT INTO import_run({', '.join(row)}) VALUES({', '.join(f':{name}' for name in row)})",
        **row,
    )
    return _Progress(row["id"], "running")


def _restart(tx: Transaction, context: CommandContext, run_id: str) -> _Progress:
    tx.run("DELETE FROM import_row WHERE run_id = :id", id=run_id)
    tx.run(
        "UPDATE import_run SET state = 'running', done = 0, accepted = 0, refused = 0, "
        "warned = 0, error = NULL, started_by = :actor, started_at = :now, finished_at = NULL "
        "WHERE id = :id",
        actor=context.actor,
        now=micros(context.now),
        id=run_id,
    )
    return _Progress(run_id, "running")


def _resume(tx: Transaction, progress: _Progress, *, resume: bool) -> _Progress:
    if not resume:
        raise StepNotAllowed(
            f"this file was read up to row {progress.done}: resume it", allowed=["resume"]
        )
    tx.run("UPDATE import_run SET state = 'running', error = NULL WHERE id = :id", id=progress.id)
    return replace(progress, state="running")


def cancel(tx: Transaction, context: CommandContext, run_id: str) -> None:
    """Stop a run behind the batch that is being written; its rows and their units stay.

    A cancelled run can be resumed like one that failed. Raises UnknownReference, or StepNotAllowed
    for a run that is finished.
    """
    row = tx.row_as(_RunState, "SELECT done, state FROM import_run WHERE id = :id", id=run_id)
    if row is None:
        raise UnknownReference(f"there is no import run {run_id!r}", field="import_run")
    stopped = tx.run(
        "UPDATE import_run SET state = :cancelled, error = :error "
        "WHERE id = :id AND state <> 'finished'",
        cancelled=CANCELLED,
        error=f"cancelled by {context.actor}",
        id=run_id,
    )
    if not stopped:
        raise StepNotAllowed("every row of this file was read", allowed=[])


def carry_out(
    database: Database,
    context: CommandContext,
    run: Run,
    *,
    batch_rows: int = BATCH_ROWS,
    told: Told = lambda _: None,
    seconds_max: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """Read the file to its end, or go on where it was broken off; `told` hears of each batch.

    What fails is written down beside the run before it is raised; the run can be resumed. So it can
    after `seconds_max`, which raises TimeUp behind a batch, and once it was cancelled: the run is
    returned as it is then.
    """
    if run.state == "finished":
        return run
    batch_rows = max(1, min(batch_rows, BATCH_ROWS_MAX))
    context = replace(
        context,
        captured_by=CaptureMethod.IMPORT,
        document=Document("import", run.id),
    )
    try:
        with Names() as names:
            rows = run.source.rows()
            _skip(database, run, rows, names, batch_rows)
            tried, began, ends_at = Tried(), run.done, clock() + seconds_max
            while batch := list(itertools.islice(rows, batch_rows)):
                if run.done > began and clock() > ends_at:
                    raise TimeUp(
                        f"{seconds_max:.0f} seconds are over at row {run.done}: resume it",
                        allowed=["resume"],
                    )
                run = _one(database, context, run, batch, names, tried)
                told(run)
    except Cancelled:
        return replace(run, state=CANCELLED)
    except Elsewhere:
        raise
    except Exception as error:
        database.write_now(partial(_fail, run=run, error=error))
        raise
    database.write_now(lambda tx: _finish(tx, context, run))
    return replace(run, state="finished")


class TimeUp(StepNotAllowed):
    """An import took longer than it may. Next: resume it, or split the file."""


class Cancelled(Exception):
    """The run was cancelled between two batches."""


class Elsewhere(StepNotAllowed):
    """Another process reads this file. Next: query the run later."""


def _finish(tx: Transaction, context: CommandContext, run: Run) -> None:
    tx.run(
        "UPDATE import_run SET state = 'finished', total = done, finished_at = :now "
        "WHERE id = :id AND done = :done",
        now=micros(context.now),
        id=run.id,
        done=run.done,
    )


def _fail(tx: Transaction, run: Run, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}"[:ERROR_CHARS_MAX]
    tx.run(
        "UPDATE import_run SET state = 'failed', error = :error WHERE id = :id",
        error=text.replace("\x00", ""),
        id=run.id,
    )


def _skip(database: Database, run: Run, rows: Iterator[Raw], names: Names, batch_rows: int) -> None:
    """Skip the rows that were processed before, and store the names that they claimed."""
    left = run.done
    while left > 0:
        raws = list(itertools.islice(rows, min(left, batch_rows)))
        if not raws:
            raise StepNotAllowed("the file is shorter than what was read of it", allowed=[])
        left -= len(raws)
        span = partial(_refused_in, run_id=run.id, low=raws[0].number, high=raws[-1].number)
        refused = database.read_now(span)
        wanted, _ = _parsed(run, [raw for raw in raws if raw.number not in refused], None)
        products = _products(database, wanted)
        names.claim(
            (name, number)
            for number, each in wanted.items()
            for name in names_of(each.arrival, products)
        )


def _refused_in(tx: Transaction, run_id: str, low: int, high: int) -> set[int]:
    rows = tx.rows_as(
        _Number,
        "SELECT number FROM import_row WHERE run_id = :run AND code IS NOT NULL "
        "AND number BETWEEN :low AND :high",
        run=run_id,
        low=low,
        high=high,
    )
    return {row["number"] for row in rows}


def _one(
    database: Database,
    context: CommandContext,
    run: Run,
    raws: Sequence[Raw],
    names: Names,
    tried: Tried,
) -> Run:
    """Process one batch, atomically."""
    wanted, verdicts = _parsed(run, raws, context)
    products = _products(database, wanted)
    own = {number: names_of(each.arrival, products) for number, each in wanted.items()}
    claimed = names.claimed({name for each in own.values() for name in each})
    for number, each in own.items():
        first = min((claimed[name] for name in each if name in claimed), default=None)
        if first is not None:
            serial = wanted.pop(number).arrival.serial
            verdicts[number] = _refusal(
                number, serial, RowCode.DUPLICATE_IN_FILE, f"row {first} names it already"
            )
    batch = Batch(
        run_id=run.id,
        first=raws[0].number,
        count=len(raws),
        wanted=wanted,
        refused=verdicts,
        unserialized_stock=run.columns.plan.unserialized_stock,
        dry_run=run.dry_run,
        spent=tried.taken,
    )
    outcome: Outcome = database.write_now(lambda tx: _written(tx, context, batch))
    tried.add(outcome.taken)
    names.claim((name, number) for number in outcome.accepted for name in own[number])
    return replace(
        run,
        done=run.done + len(raws),
        accepted=run.accepted + len(outcome.accepted),
        refused=run.refused + len(raws) - len(outcome.accepted),
    )


def _parsed(
    run: Run, raws: Sequence[Raw], context: CommandContext | None
) -> tuple[dict[int, Wanted], dict[int, RowVerdict]]:
    """Parse rows; unreadable ones get a result."""
    wanted: dict[int, Wanted] = {}
    verdicts: dict[int, RowVerdict] = {}
    for raw in raws:
        try:
            wanted[raw.number] = run.columns.wanted(raw, context.now if context else None)
        except (BadRow, Refused) as wrong:
            serial = run.columns.serial(raw)
            verdicts[raw.number] = _refusal(raw.number, serial, wrong.code, str(wrong))
    return wanted, verdicts


def _refusal(number: int, serial: str, code: str, message: str) -> RowVerdict:
    return RowVerdict(number=number, serial=serial[:200], code=str(code), message=message)


def _products(database: Database, wanted: dict[int, Wanted]) -> Mapping[str, Row]:
    codes = {
        code
        for each in wanted.values()
        if (code := product_code(each.arrival.serial, each.arrival.product))
    }
    return database.read_now(lambda tx: products_by_code(tx, sorted(codes)))


def _written(tx: Transaction, context: CommandContext, batch: Batch) -> Outcome:
    """Write one batch with its results and its progress; raises Elsewhere or Cancelled."""
    row = tx.row_as(
        _RunState,
        "SELECT done, state FROM import_run WHERE id = :id FOR UPDATE",
        id=batch.run_id,
    )
    if row is not None and row["state"] == CANCELLED:
        raise Cancelled
    if row is None or row["done"] != batch.first - 1 or row["state"] == "finished":
        raise Elsewhere("another process reads this file", allowed=[])
    outcome = batch.carry_out(tx, context)
    warned = sum(each.warning is not None for each in outcome.verdicts.values())
    tx.insert(
        "import_row",
        ("id", "run_id", "number", "serial", "unit_id", "code", "message", "warning"),
        [
            (
                new_id(),
                batch.run_id,
                each.number,
                each.serial,
                each.unit_id,
                each.code,
                each.message,
                each.warning,
            )
            for _, each in sorted(outcome.verdicts.items())
        ],
    )
    tx.run(
        "UPDATE import_run SET done = done + :count, accepted = accepted + :accepted, "
        "refused = refused + :refused, warned = warned + :warned, state = 'running' WHERE id = :id",
        count=batch.count,
        accepted=len(outcome.accepted),
        refused=batch.count - len(outcome.accepted),
        warned=warned,
        id=batch.run_id,
    )
    return outcome
