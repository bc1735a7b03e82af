"""Requests for approval by a second person, and the trail of administrative commands."""

from datetime import datetime

import strawberry

from hub.access import approvals, trail
from hub.access.approvals import State
from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.errors import Forbidden
from hub.settings import RESEAL
from hub.storage.documents import document, readable, values
from hub.storage.rows import ApprovalRow, TrailEntryRow
from hub_api.common.commands import COMMANDS, Call, command
from hub_api.common.context import Context, Info
from hub_api.common.problems import answer


@strawberry.type(description="A command that a second person has to approve of.")
class CommandRequest:
    id: strawberry.ID
    command: str = strawberry.field(description="Name of the mutation or of the shell's command.")
    arguments: strawberry.scalars.JSON = strawberry.field(
        description="Its arguments, without secrets."
    )
    state: State
    requested_by: str = strawberry.field(description="Name of the key that asked.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    expires_at: datetime = strawberry.field(description="When it ends unless it is used.")
    decided_by: str | None = strawberry.field(description="Name of the key that decided.")
    decided_at: datetime | None
    reason: str | None = strawberry.field(description="Why it was approved or rejected.")

    @classmethod
    def of(cls, row: ApprovalRow, now: datetime) -> "CommandRequest":
        """Show a request as it stands at a time."""
        return cls(
            id=strawberry.ID(row["id"]),
            command=row["command"],
            arguments=strawberry.scalars.JSON(document(row["arguments"])),
            state=approvals.state_of(row, now),
            requested_by=row["requested_by"],
            requested_at=moment(row["requested_at"]),
            expires_at=moment(row["expires_at"]),
            decided_by=row["decided_by"],
            decided_at=moment(row["decided_at"]) if row["decided_at"] else None,
            reason=row["reason"],
        )


@strawberry.type(description="One administrative command, chained to the one before.")
class TrailEntry:
    number: int = strawberry.field(description="Place in the chain, from 1, without gaps.")
    recorded_at: datetime
    actor: str = strawberry.field(description="Name of the key, or `shell`.")
    key_id: strawberry.ID | None = strawberry.field(description="The API key that was used.")
    session_id: strawberry.ID | None = strawberry.field(description="Console session, if any.")
    address: str = strawberry.field(description="Address that it came from; empty: this machine.")
    command: str = strawberry.field(description="Name of the mutation, or of what the shell ran.")
    command_id: strawberry.ID | None
    arguments: strawberry.scalars.JSON = strawberry.field(
        description="Its arguments, without secrets and shortened."
    )
    changes: strawberry.scalars.JSON = strawberry.field(
        description="Each row of settings that it changed, before and after, without secrets."
    )
    previous_hash: str = strawberry.field(description="The hash of the entry before.")
    hash: str = strawberry.field(
        description="SHA-256 over the entry with the hash before; `serial-hub verify` checks it."
    )

    @classmethod
    def of(cls, row: TrailEntryRow) -> "TrailEntry":
        """Show an entry."""
        key, session, done = row["key_id"], row["session_id"], row["command_id"]
        return cls(
            number=row["number"],
            recorded_at=moment(row["recorded_at"]),
            actor=row["actor"],
            key_id=strawberry.ID(key) if key else None,
            session_id=strawberry.ID(session) if session else None,
            address=row["address"],
            command=row["command"],
            command_id=strawberry.ID(done) if done else None,
            arguments=strawberry.scalars.JSON(document(row["arguments"])),
            changes=strawberry.scalars.JSON(values(row["changes"])),
            previous_hash=row["previous_hash"],
            hash=row["hash"],
        )


@strawberry.type
class ApprovalQuery:
    """Reading requests, and the trail."""

    @strawberry.field(description="Requests for approval by a second person, the newest first.")
    async def command_requests(self, info: Info, first: int = 50) -> list[CommandRequest]:
        """List requests; staff that may send wide commands sees them."""
        info.context.require(Scope.OPS, Scope.ADMIN)
        now = info.context.clock()
        rows = await info.context.read(lambda tx: approvals.listed(tx, first=first))
        return readable(lambda row: CommandRequest.of(row, now), rows)

    @strawberry.field(description="The trail of administrative commands, the newest first.")
    async def trail(
        self, info: Info, first: int = 50, before_number: int | None = None
    ) -> list[TrailEntry]:
        """List entries."""
        info.context.require(Scope.ADMIN)
        rows = await info.context.read(
            lambda tx: trail.entries(tx, first=first, before=before_number)
        )
        return readable(TrailEntry.of, rows)


@strawberry.type
class ApprovalMutation:
    """Deciding about commands of others."""

    @command(
        Scope.OPS,
        Scope.ADMIN,
        Scope.OVERRIDE,
        description="Approve of a command that somebody else asked for; needs the right to send "
        "it. Its sender then sends it again, unchanged.",
        result=answer("ApproveRequestResult", CommandRequest),
    )
    async def approve_request(self, call: Call, id: strawberry.ID, reason: str) -> CommandRequest:
        return await _decided(call, id, reason, approves=True)

    @command(
        Scope.OPS,
        Scope.ADMIN,
        Scope.OVERRIDE,
        description="Reject a command that was asked for; whoever asked may take it back so.",
        result=answer("RejectRequestResult", CommandRequest),
    )
    async def reject_request(self, call: Call, id: strawberry.ID, reason: str) -> CommandRequest:
        return await _decided(call, id, reason, approves=False)


async def _decided(call: Call, request: str, reason: str, *, approves: bool) -> CommandRequest:
    context = call.context.command_context()

    def do(work: Work) -> str:
        row = approvals.by_id(work.tx, request)
        _check_right(call.context, row["command"])
        caller = call.context.caller
        approvals.decide(work.tx, request, caller, reason, context.now, approves=approves)
        return request

    await call.once(context, do)
    row = await call.context.read(lambda tx: approvals.by_id(tx, request))
    return CommandRequest.of(row, context.now)


def _check_right(context: Context, name: str) -> None:
    """Raise Forbidden for who could not send the command."""
    if name == RESEAL:
        context.require(Scope.ADMIN)
        return
    declared = next((each for each in COMMANDS.values() if each.field == name), None)
    if declared is None:
        raise Forbidden(f"there is no command {name} any more")
    context.require(*declared.scopes)
    declared.check(context.caller)
