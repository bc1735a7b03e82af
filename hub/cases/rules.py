"""Case rules, stored as data: automatic actions on cases that match conditions.

The sweep applies all rules in the order of their ranks; the case's trail records each application
with the rule's code. A rule acts on a case once, and once more after it was reopened, so that it
never overrides people repeatedly; only dead letters may be replayed several times, with a pause.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict

import orjson

from hub import cases
from hub.cases import RANK, CaseKind, Severity, trail
from hub.cases.rows import CaseOfChannel
from hub.cases.trail import CaseAction
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, UnknownReference
from hub.storage.documents import readable
from hub.storage.rows import CaseOwnerRow, CaseRow, CaseRuleRow
from hub.storage.sql import Transaction
from hub.sync import inbox, listings, outbox

CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
RULES_MAX = 100
RANK_MAX = 9_999
HOURS_MAX = 24 * 3_650
TIMES_MAX = 20
OWNER_CHARS_MAX = 100
RESOLUTION_CHARS_MAX = 2_000


class _Id(TypedDict):
    id: str


class RuleAction(StrEnum):
    """Action of a rule."""

    ASSIGN = "assign"  # to an owner
    CLOSE = "close"  # with a resolution
    REPLAY = "replay"  # requeue the dead letters of its subject
    ESCALATE = "escalate"  # to a higher severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions of a rule: all that are set must match; of a list, one value is enough.

    `open_hours_from` counts since a case was opened, `quiet_hours_from` since it was last seen.
    """

    kinds: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    open_hours_from: int | None = None
    quiet_hours_from: int | None = None
    occurrences_from: int | None = None
    has_owner: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Parameters of an action; `times_max` and `pause_hours` limit replays."""

    owner: str | None = None
    resolution: str | None = None
    severity: str | None = None
    times_max: int = 3
    pause_hours: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRule:
    """One rule."""

    code: str
    name: str
    rank: int
    action: RuleAction
    conditions: Conditions
    parameters: Parameters


def put(tx: Transaction, context: CommandContext, rule: CaseRule) -> None:
    """Create or change a rule; raises InvalidInput for an invalid one."""
    sensible(rule)
    others = tx.value("SELECT COUNT(*) FROM case_rule WHERE code <> :code", code=rule.code)
    if others >= RULES_MAX:
        raise InvalidInput(f"there are at most {RULES_MAX} rules", field="code")
    tx.run(
        "INSERT INTO case_rule(id, code, name, rank, conditions, action, parameters, changed_by, "
        "changed_at) VALUES(:id, :code, :name, :rank, :conditions, :action, :parameters, :actor, "
        ":now) ON CONFLICT(code) DO UPDATE SET name = excluded.name, rank = excluded.rank, "
        "conditions = excluded.conditions, action = excluded.action, "
        "parameters = excluded.parameters, changed_by = excluded.changed_by, "
        "changed_at = excluded.changed_at",
        id=new_id(),
        code=rule.code,
        name=rule.name.strip(),
        rank=rule.rank,
        conditions=_json(rule.conditions),
        action=str(rule.action),
        parameters=_json(rule.parameters),
        actor=context.actor,
        now=micros(context.now),
    )


def remove(tx: Transaction, code: str) -> None:
    """Remove a rule; raises UnknownReference."""
    if not tx.run("DELETE FROM case_rule WHERE code = :code", code=code):
        raise UnknownReference(f"there is no rule {code!r}", field="code")


def rules(tx: Transaction) -> list[CaseRule]:
    """Return all rules in the order in which they are applied."""
    rows = tx.rows_as(CaseRuleRow, "SELECT * FROM case_rule ORDER BY rank, code")
    return readable(_rule, rows)


def _rule(row: CaseRuleRow) -> CaseRule:
    conditions: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in orjson.loads(row["conditions"]).items()
    }
    return CaseRule(
        code=row["code"],
        name=row["name"],
        rank=row["rank"],
        action=RuleAction(row["action"]),
        conditions=Conditions(**conditions),
        parameters=Parameters(**orjson.loads(row["parameters"])),
    )


def _json(value: Conditions | Parameters) -> str:
    return orjson.dumps(asdict(value)).decode()


def set_owner(tx: Transaction, context: CommandContext, kind: CaseKind, owner: str | None) -> None:
    """Set the owner of new cases of a kind; None: no owner. Raises InvalidInput."""
    tx.run("DELETE FROM case_owner WHERE kind = :kind", kind=str(kind))
    if owner is None:
        return
    if not 0 < len(owner.strip()) <= OWNER_CHARS_MAX:
        raise InvalidInput(f"an owner has 1 to {OWNER_CHARS_MAX} characters", field="owner")
    tx.run(
        "INSERT INTO case_owner(id, kind, owner, changed_by, changed_at) "
        "VALUES(:id, :kind, :owner, :actor, :now)",
        id=new_id(),
        kind=str(kind),
        owner=owner.strip(),
        actor=context.actor,
        now=micros(context.now),
    )


def owners(tx: Transaction) -> list[CaseOwnerRow]:
    """Return the owners of new cases, in the order of the kinds."""
    return tx.rows_as(CaseOwnerRow, "SELECT * FROM case_owner ORDER BY kind")


def fitting(
    tx: Transaction, rule: CaseRule, now: datetime, *, limit: int, lock: bool = False
) -> list[CaseOfChannel]:
    """Return the open cases that a rule would act on now, the oldest first."""
    wanted, values = _conditions(rule, now)
    done, given = _not_done(rule, now)
    return tx.rows_as(
        CaseOfChannel,
        "SELECT exception_case.*, channel.code AS channel_code FROM exception_case "
        "LEFT JOIN channel ON channel.id = exception_case.channel_id "
        f"WHERE {' AND '.join([*wanted, *done])} ORDER BY exception_case.opened_at, "
        f"exception_case.id LIMIT :limit{' FOR UPDATE OF exception_case' if lock else ''}",
        limit=limit,
        **values,
        **given,
    )


def _conditions(rule: CaseRule, now: datetime) -> tuple[list[str], dict[str, Any]]:
    named = rule.conditions
    wanted = ["exception_case.state <> 'resolved'"]
    values: dict[str, Any] = {}
    for column, name, listed in (
        ("exception_case.kind", "kinds", named.kinds),
        ("exception_case.severity", "severities", named.severities),
        ("channel.code", "channels", named.channels),
    ):
        if listed:
            wanted.append(f"{column} IN (:{name}...)")
            values[name] = list(listed)
    for column, name, hours in (
        ("opened_at", "opened", named.open_hours_from),
        ("newest_at", "newest", named.quiet_hours_from),
    ):
        if hours is not None:
            wanted.append(f"exception_case.{column} <= :{name}")
            values[name] = micros(now - timedelta(hours=hours))
    if named.occurrences_from is not None:
        wanted.append("exception_case.occurrences >= :occurrences")
        values["occurrences"] = named.occurrences_from
    if named.has_owner is not None:
        wanted.append(f"exception_case.owner IS {'NOT ' if named.has_owner else ''}NULL")
    return wanted, values


def _not_done(rule: CaseRule, now: datetime) -> tuple[list[str], dict[str, Any]]:
    """Return conditions that exclude cases on which a rule acted or would change nothing."""
    own = (
        "FROM case_event WHERE case_id = exception_case.id AND rule = :rule "
        "AND id > COALESCE((SELECT MAX(id) FROM case_event WHERE case_id = exception_case.id "
        "AND action = 'reopened'), '')"
    )
    given = rule.parameters
    match rule.action:
        case RuleAction.REPLAY:
            paused = micros(now - timedelta(hours=given.pause_hours))
            return [
                f"(SELECT COUNT(*) {own}) < :times",
                f"COALESCE((SELECT MAX(happened_at) {own}), 0) <= :paused",
            ], {"rule": rule.code, "times": given.times_max, "paused": paused}
        case RuleAction.ASSIGN:
            return [
                f"NOT EXISTS (SELECT 1 {own})",
                "COALESCE(exception_case.owner, '') <> :owner",
            ], {"rule": rule.code, "owner": given.owner}
        case RuleAction.ESCALATE:
            higher = f"{RANK.format('exception_case.severity')} < {RANK.format(':severity')}"
            return [f"NOT EXISTS (SELECT 1 {own})", higher], {
                "rule": rule.code,
                "severity": given.severity,
            }
    return [], {}


def apply(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Apply all rules to up to `limit` cases each; return the number of actions."""
    acted = 0
    for rule in rules(tx):
        for case in fitting(tx, rule, context.now, limit=limit, lock=True):
            _act(tx, context, rule, case)
            acted += 1
    return acted


def _act(tx: Transaction, context: CommandContext, rule: CaseRule, case: CaseOfChannel) -> None:
    given = rule.parameters
    match rule.action:
        case RuleAction.ASSIGN:
            cases.hand_over(
                tx, case, str(given.owner), context.now, actor=context.actor, rule=rule.code
            )
        case RuleAction.CLOSE:
            cases.close(tx, context, case, str(given.resolution), rule=rule.code)
        case RuleAction.ESCALATE:
            row = tx.row_as(
                CaseRow,
                "UPDATE exception_case SET severity = :severity WHERE id = :id RETURNING *",
                severity=given.severity,
                id=case["id"],
            )
            assert row is not None
            _note(tx, context, row, CaseAction.ESCALATED, rule, f"was {case['severity']}")
        case RuleAction.REPLAY:
            count = _replay(tx, case, context.now)
            _note(tx, context, case, CaseAction.REPLAYED, rule, f"{count} requeued")


def _note(
    tx: Transaction,
    context: CommandContext,
    case: CaseRow,
    action: CaseAction,
    rule: CaseRule,
    remark: str,
) -> None:
    trail.note(tx, case, action, context.now, actor=context.actor, rule=rule.code, remark=remark)


def _replay(tx: Transaction, case: CaseRow, now: datetime) -> int:
    """Requeue the dead letters and levels of a case's subject; return their number."""
    values = {"channel": case["channel_id"], "subject": case["subject"]}
    dead = "WHERE channel_id = :channel AND state = 'dead'"
    facts = tx.rows_as(_Id, f"SELECT id FROM outbox {dead} AND subject = :subject", **values)
    deliveries = tx.rows_as(
        _Id,
        f"SELECT id FROM inbox {dead} AND (delivery = :subject OR subject = :subject)",
        **values,
    )
    return (
        outbox.replay(tx, [row["id"] for row in facts], now)
        + inbox.replay(tx, [row["id"] for row in deliveries], now)
        + listings.revive(tx, case["channel_id"] or "", now, sku=case["subject"])
    )


def sensible(rule: CaseRule) -> None:
    """Validate a rule; raises InvalidInput."""
    if not CODE.fullmatch(rule.code):
        raise InvalidInput("a code has 1 to 60 of a-z, 0-9 and -", field="code")
    if not 0 < len(rule.name.strip()) <= 200:
        raise InvalidInput("a name has 1 to 200 characters", field="name")
    if not 0 <= rule.rank <= RANK_MAX:
        raise InvalidInput(f"a rank is 0 to {RANK_MAX}", field="rank")
    _known(rule.conditions.kinds, CaseKind, "kinds")
    _known(rule.conditions.severities, Severity, "severities")
    for each in fields(Conditions):
        value = getattr(rule.conditions, each.name)
        if isinstance(value, int) and not 0 <= value <= HOURS_MAX:
            raise InvalidInput(f"{each.name} is 0 to {HOURS_MAX}", field="conditions")
    _complete(rule)


def _known(values: Sequence[str], members: type[StrEnum], field: str) -> None:
    if set(values) - {str(member) for member in members}:
        raise InvalidInput(f"there are no such {field}", field=field)


def _complete(rule: CaseRule) -> None:
    given, named = rule.parameters, rule.conditions
    match rule.action:
        case RuleAction.ASSIGN if not 0 < len((given.owner or "").strip()) <= OWNER_CHARS_MAX:
            text = f"say to whom, in 1 to {OWNER_CHARS_MAX} characters"
            raise InvalidInput(text, field="owner")
        case RuleAction.CLOSE:
            if not 0 < len((given.resolution or "").strip()) <= RESOLUTION_CHARS_MAX:
                text = f"say what was done, in 1 to {RESOLUTION_CHARS_MAX:,} characters"
                raise InvalidInput(text, field="resolution")
            if not named.quiet_hours_from:
                # Otherwise a frequent finding would close and reopen its case for ever.
                text = "say after how many quiet hours it is closed"
                raise InvalidInput(text, field="quietHoursFrom")
        case RuleAction.ESCALATE if given.severity not in {*Severity} - {Severity.LOW}:
            raise InvalidInput("say to which higher severity", field="severity")
        case RuleAction.REPLAY if not (
            0 < given.times_max <= TIMES_MAX and 0 < given.pause_hours <= HOURS_MAX
        ):
            text = f"1 to {TIMES_MAX} times, and a pause of an hour or more"
            raise InvalidInput(text, field="timesMax")
