"""What becomes of the outcomes of a run: differences begin, last, change and end.

A difference lasts while both claims stay as they are. Where one of them changed, a newer difference
goes on and refers to the older one. Where both sides agree, it ends: healed if its fix was sent
before, closed otherwise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypedDict

import orjson

from hub.clock import micros, moment, new_id
from hub.reconciliation import questions
from hub.reconciliation.kinds import Compared, Difference, Result, State, Totals
from hub.reconciliation.runs import Run
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction

TEXT_MAX = 200  # characters of a subject or a reference that are kept
REPEATS_WITHIN = timedelta(days=7)
REPEATS = 2  # after as many heals that were seen to hold, a person hears of the next difference

_COLUMNS = (
    "id", "run_id", "last_run_id", "channel_id", "scope", "kind", "about", "subject", "listing_id",
    "product_id", "unit_id", "order_id", "ledger_claim", "remote_claim", "surplus", "cause",
    "evidence", "proofs", "severity", "fix", "live", "first_seen_at", "found_at", "last_seen_at",
    "heal_attempts", "repeats", "previous_id", "case_id",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO reconciliation_difference({', '.join(_COLUMNS)}) "
    f"VALUES({', '.join(f':{name}' for name in _COLUMNS)})"
)


class _Repeat(TypedDict):
    about: str
    kind: str
    remote_claim: str
    times: int


class Sent(TypedDict):
    """A difference whose fix the channel took, with the reference of its subject."""

    id: str
    about: str


class _NewDifference(TypedDict):
    id: str
    run_id: str
    last_run_id: str
    channel_id: str
    scope: str
    kind: str
    about: str
    subject: str
    listing_id: str | None
    product_id: str | None
    unit_id: str | None
    order_id: str | None
    ledger_claim: str
    remote_claim: str
    surplus: int | None
    cause: str
    evidence: str
    proofs: str
    severity: str
    fix: str
    live: bool
    first_seen_at: int
    found_at: int
    last_seen_at: int
    heal_attempts: int
    repeats: int
    previous_id: str | None
    case_id: str | None


@dataclass(slots=True)
class _Changes:
    """What a batch changes, gathered so that each kind of change is one statement."""

    inserted: list[_NewDifference] = field(default_factory=list)
    found: list[str] = field(default_factory=list)  # ids that the run is linked to
    again: list[dict[str, str | int]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    healed: list[ReconciliationDifferenceRow] = field(default_factory=list)
    agreed: list[ReconciliationDifferenceRow] = field(default_factory=list)
    not_held: list[dict[str, str]] = field(default_factory=list)


def settle(
    tx: Transaction,
    run: Run,
    batch: Sequence[Compared],
    now: datetime,
    totals: Totals | None = None,
) -> list[ReconciliationDifferenceRow]:
    """Apply a batch of outcomes and return its open differences, in the order of the batch.

    Counts the outcomes in `totals`; without it the subjects were counted before and are looked at
    again.
    """
    live = _live(tx, run, [each.about for each in batch])
    changes = _Changes()
    for outcome in batch:
        known = live.get(outcome.about[:TEXT_MAX])
        explained = False
        if outcome.difference is not None:
            explained = _differs(run, outcome.difference, known, now, changes)
        elif known is not None and outcome.result in {Result.MATCHED, Result.NOT_KEPT}:
            _agrees(known, changes)
        if totals is not None:
            totals.count(outcome, explained=explained)
    _note_repeats(tx, run, changes, now)
    _write(tx, run, changes, now)
    _close_lasting_cases(tx, run, batch, now)
    return _open(tx, [*changes.found])


def end_unfound(tx: Transaction, run: Run, now: datetime, but: Collection[str] = ()) -> None:
    """Close the live differences that a run of a whole scope did not find.

    `but` are the references of subjects that the run could not compare.
    """
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE channel_id = :channel AND scope = :scope "
        "AND live AND last_run_id <> :run",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
    )
    changes = _Changes()
    for row in rows:
        if row["about"] not in but:
            _agrees(row, changes)
    _write(tx, run, changes, now)


_OPEN_OF = (
    "SELECT difference.* FROM reconciliation_finding AS finding "
    "JOIN reconciliation_difference AS difference ON difference.id = finding.difference_id "
    "WHERE finding.run_id = :run AND finding.difference_id > :after AND difference.live "
    "AND difference.state = 'open' "
)
_NEXT = "ORDER BY finding.difference_id LIMIT :limit"


def open_of(
    tx: Transaction, run: Run, after: str, *, limit: int
) -> list[ReconciliationDifferenceRow]:
    """Return the next open differences that a run found, by their ids."""
    return tx.rows_as(
        ReconciliationDifferenceRow, f"{_OPEN_OF}{_NEXT}", run=run.id, after=after, limit=limit
    )


def lower_of(
    tx: Transaction, run: Run, after: str, *, limit: int
) -> list[ReconciliationDifferenceRow]:
    """Return the next open differences of a run where the channel has less, by their ids."""
    return tx.rows_as(
        ReconciliationDifferenceRow,
        f"{_OPEN_OF}AND difference.surplus < 0 {_NEXT}",
        run=run.id,
        after=after,
        limit=limit,
    )


def sent_of(tx: Transaction, run: Run, after: str, *, limit: int) -> list[Sent]:
    """Return the next differences of a run whose fix the channel took, by their ids."""
    return tx.rows_as(
        Sent,
        "SELECT difference.id, difference.about FROM reconciliation_finding AS finding "
        "JOIN reconciliation_difference AS difference ON difference.id = finding.difference_id "
        "WHERE finding.run_id = :run AND finding.difference_id > :after AND difference.live "
        "AND difference.state = 'healing' AND difference.sent_at IS NOT NULL "
        "ORDER BY finding.difference_id LIMIT :limit",
        run=run.id,
        after=after,
        limit=limit,
    )


def _live(
    tx: Transaction, run: Run, abouts: Sequence[str]
) -> dict[str, ReconciliationDifferenceRow]:
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE channel_id = :channel AND scope = :scope "
        "AND live AND about IN (:abouts...) FOR UPDATE",
        channel=run.channel["id"],
        scope=str(run.scope),
        abouts=sorted({each[:TEXT_MAX] for each in abouts}),
    )
    return {row["about"]: row for row in rows}


def _close_lasting_cases(
    tx: Transaction, run: Run, batch: Sequence[Compared], now: datetime
) -> None:
    """Close the cases of what keeps coming back, once a later run finds that it stayed right."""
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE channel_id = :channel AND scope = :scope "
        "AND case_id IS NOT NULL AND NOT live AND closed_run_id <> :run AND about IN (:abouts...)",
        channel=run.channel["id"],
        scope=str(run.scope),
        run=run.id,
        abouts=[each.about[:TEXT_MAX] for each in batch if each.result is Result.MATCHED],
    )
    if rows:
        tx.run(
            "UPDATE reconciliation_difference SET case_id = NULL WHERE id IN (:ids...)",
            ids=[row["id"] for row in rows],
        )
        questions.close(tx, rows, run, now)


def _differs(
    run: Run,
    found: Difference,
    known: ReconciliationDifferenceRow | None,
    now: datetime,
    changes: _Changes,
) -> bool:
    """Note a difference; return whether a person explained exactly this one before."""
    row = _new(run, found, now)
    if known is not None and _was_sent(known) and known["kind"] != row["kind"]:
        changes.healed.append(known)  # the subject differs in another way now
        known = None
    if known is not None and _claims(known) == _claims(row):
        changes.found.append(known["id"])
        changes.again.append(_again(run, known, row))
        if _was_sent(known):
            changes.not_held.append({"id": known["id"], "error": _not_held(known, now)})
        return known["state"] == State.DISMISSED
    if known is not None:
        _go_on(row, known)
        changes.replaced.append(known["id"])
    changes.inserted.append(row)
    changes.found.append(row["id"])
    return False


def _claims(row: ReconciliationDifferenceRow | _NewDifference) -> tuple[str, str, str]:
    return row["kind"], row["ledger_claim"], row["remote_claim"]


def _go_on(row: _NewDifference, known: ReconciliationDifferenceRow) -> None:
    """Let a difference refer to the one about the same subject whose claims changed."""
    row["previous_id"] = known["id"]
    row["case_id"] = known["case_id"]
    row["heal_attempts"] = known["heal_attempts"] + _was_sent(known)
    if known["state"] != State.DISMISSED:
        # Its age counts from the first time that the sides disagreed on this subject.
        row["first_seen_at"] = known["first_seen_at"]


def _was_sent(known: ReconciliationDifferenceRow) -> bool:
    return known["state"] == State.HEALING and known["sent_at"] is not None


def _not_held(known: ReconciliationDifferenceRow, now: datetime) -> str:
    sent = moment(known["sent_at"] or 0)
    return (
        f"The channel took the fix at {sent:%Y-%m-%d %H:%M:%S} UTC, and did not show it at "
        f"{now:%Y-%m-%d %H:%M:%S} UTC."
    )


def _agrees(known: ReconciliationDifferenceRow, changes: _Changes) -> None:
    (changes.healed if _was_sent(known) else changes.agreed).append(known)


def _claim(claim: Mapping[str, Any]) -> str:
    return orjson.dumps(claim, default=str, option=orjson.OPT_SORT_KEYS).decode()


def _again(
    run: Run, known: ReconciliationDifferenceRow, row: _NewDifference
) -> dict[str, str | int]:
    return {
        "id": known["id"],
        "run": run.id,
        # A comparison of the same run that looks once more is no further finding.
        "times": int(known["last_run_id"] != run.id),
        "cause": row["cause"],
        "evidence": row["evidence"],
        "proofs": row["proofs"],
        "severity": row["severity"],
        # A person may have chosen another fix, which is under way.
        "fix": known["fix"] if known["state"] == State.HEALING else row["fix"],
        "now": row["last_seen_at"],
    }


def _new(run: Run, found: Difference, now: datetime) -> _NewDifference:
    return {
        "id": new_id(),
        "run_id": run.id,
        "last_run_id": run.id,
        "channel_id": run.channel["id"],
        "scope": str(run.scope),
        "kind": str(found.kind),
        "about": found.about[:TEXT_MAX],
        "subject": found.subject[:TEXT_MAX],
        "listing_id": found.listing_id,
        "product_id": found.product_id,
        "unit_id": found.unit_id,
        "order_id": found.order_id,
        "ledger_claim": _claim(found.ledger),
        "remote_claim": _claim(found.remote),
        "surplus": found.surplus,
        "cause": str(found.cause),
        "evidence": found.evidence,
        "proofs": orjson.dumps([each.as_json() for each in found.proofs]).decode(),
        "severity": str(found.severity),
        "fix": str(found.fix),
        "live": True,
        "first_seen_at": micros(now),
        "found_at": micros(now),
        "last_seen_at": micros(now),
        "heal_attempts": 0,
        "repeats": 0,
        "previous_id": None,
        "case_id": None,
    }


def _note_repeats(tx: Transaction, run: Run, changes: _Changes, now: datetime) -> None:
    """Add to the evidence how often the same difference was healed and came back."""
    if not changes.inserted:
        return
    rows = tx.rows_as(
        _Repeat,
        "SELECT about, kind, remote_claim, COUNT(*) AS times FROM reconciliation_difference "
        "WHERE channel_id = :channel AND scope = :scope AND about IN (:abouts...) "
        "AND state = 'healed' AND healed_at >= :since GROUP BY about, kind, remote_claim",
        channel=run.channel["id"],
        scope=str(run.scope),
        abouts=[each["about"] for each in changes.inserted],
        since=micros(now - REPEATS_WITHIN),
    )
    times = {(row["about"], row["kind"], row["remote_claim"]): row["times"] for row in rows}
    for each in changes.inserted:
        healed = times.get((each["about"], each["kind"], each["remote_claim"]), 0)
        if healed >= REPEATS:
            each["evidence"] += (
                f" It was healed {healed} times in the last {REPEATS_WITHIN.days} days and came "
                "back the same: something else keeps writing it."
            )
            each["repeats"] = healed


def _write(tx: Transaction, run: Run, changes: _Changes, now: datetime) -> None:
    if changes.replaced:
        tx.run(
            "UPDATE reconciliation_difference SET live = FALSE, case_id = NULL, "
            "state = CASE WHEN state = 'dismissed' THEN state ELSE 'superseded' END, "
            "closed_at = :now, closed_run_id = :run WHERE id IN (:ids...)",
            now=micros(now),
            run=run.id,
            ids=changes.replaced,
        )
    _end(tx, run, State.HEALED, changes.healed, now)
    _end(tx, run, State.CLOSED, changes.agreed, now)
    tx.run_many(_INSERT, changes.inserted)
    tx.run_many(
        "UPDATE reconciliation_difference SET last_run_id = :run, last_seen_at = :now, "
        "times = times + :times, cause = :cause, evidence = :evidence, proofs = :proofs, "
        "severity = :severity, fix = :fix WHERE id = :id",
        changes.again,
    )
    tx.run_many(
        "UPDATE reconciliation_difference SET state = 'open', sent_at = NULL, "
        "heal_attempts = heal_attempts + 1, heal_error = :error WHERE id = :id",
        changes.not_held,
    )
    tx.run_many(
        "INSERT INTO reconciliation_finding(run_id, difference_id) VALUES(:run, :id) "
        "ON CONFLICT(run_id, difference_id) DO NOTHING",
        [{"run": run.id, "id": each} for each in changes.found],
    )


def _end(
    tx: Transaction,
    run: Run,
    state: State,
    rows: Sequence[ReconciliationDifferenceRow],
    now: datetime,
) -> None:
    """End differences whose subjects agree, count them in the run, and close their cases."""
    if not rows:
        return
    healed = state is State.HEALED
    tx.run(
        # One that a person dismissed stays dismissed in the history; it does not hold any longer.
        # The case of what keeps coming back lasts until a later run finds that it stayed right.
        "UPDATE reconciliation_difference SET live = FALSE, "
        "case_id = CASE WHEN repeats > 0 THEN case_id END, "
        "state = CASE WHEN state = 'dismissed' THEN state ELSE :state END, "
        "healed_at = :healed_at, closed_at = :now, closed_run_id = :run WHERE id IN (:ids...)",
        state=str(state),
        healed_at=micros(now) if healed else None,
        now=micros(now),
        run=run.id,
        ids=[row["id"] for row in rows],
    )
    tx.run(
        f"UPDATE reconciliation_run SET {state} = {state} + :count WHERE id = :run",
        count=sum(row["state"] != State.DISMISSED for row in rows),
        run=run.id,
    )
    questions.close(tx, [row for row in rows if row["repeats"] == 0], run, now)


def _open(tx: Transaction, ids: Sequence[str]) -> list[ReconciliationDifferenceRow]:
    if not ids:
        return []
    rows = tx.rows_as(
        ReconciliationDifferenceRow,
        "SELECT * FROM reconciliation_difference WHERE id IN (:ids...) AND state = 'open'",
        ids=list(ids),
    )
    found = {row["id"]: row for row in rows}
    return [found[each] for each in dict.fromkeys(ids) if each in found]
