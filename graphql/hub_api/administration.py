"""Administration: who is asking, API keys, and what ran when."""

from datetime import datetime

import orjson
import strawberry

from hub.access import keys
from hub.access.keys import Caller, Scope
from hub.clock import moment
from hub.storage.sql import Transaction
from hub_api.context import Context
from hub_api.problems import answer

Info = strawberry.Info[Context, None]

strawberry.enum(Scope, name="KeyScope", description="What an API key may do.")


@strawberry.type(description="Who is asking.")
class Viewer:
    """Who is asking."""

    name: str
    scopes: list[Scope]
    client: str | None = strawberry.field(
        description="The code of the client whose goods alone are seen."
    )

    @classmethod
    def of(cls, caller: Caller) -> "Viewer":
        """Show a caller."""
        return cls(name=caller.name, scopes=sorted(caller.scopes), client=caller.client)


@strawberry.type(description="An API key; its secret is shown once, when it is made.")
class ApiKey:
    """An API key."""

    id: strawberry.ID
    name: str
    scopes: list[Scope]
    client: str | None = strawberry.field(description="The client that it is bound to, by code.")
    created_at: datetime
    revoked_at: datetime | None


@strawberry.type(description="A new key with its secret: keep it, it is not shown again.")
class NewApiKey:
    """A new key."""

    id: strawberry.ID
    secret: str


@strawberry.type(description="One firing of a scheduled job.")
class JobRun:
    """One firing of a job."""

    id: strawberry.ID
    job: str
    holder: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None


@strawberry.type
class AdministrationQuery:
    """Reading what concerns the hub itself."""

    @strawberry.field(description="Who is asking.")
    async def viewer(self, info: Info) -> Viewer:
        """Say whose key it is."""
        return Viewer.of(info.context.caller)

    @strawberry.field(description="All API keys, the newest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        """List keys."""
        info.context.require(Scope.ADMIN)
        rows = await info.context.read(lambda tx: keys.listed(tx))
        return [
            ApiKey(
                id=strawberry.ID(row["id"]),
                name=row["name"],
                scopes=[Scope(scope) for scope in orjson.loads(row["scopes"])],
                client=row["client"],
                created_at=moment(row["created_at"]),
                revoked_at=moment(row["revoked_at"]) if row["revoked_at"] else None,
            )
            for row in rows
        ]

    @strawberry.field(description="What ran by schedule, the newest first.")
    async def job_runs(self, info: Info, job: str | None = None, first: int = 50) -> list[JobRun]:
        """List job runs."""
        info.context.require(Scope.OPS)
        only = "WHERE job = :job " if job else ""
        values = {"job": job} if job else {}
        rows = await info.context.read(
            lambda tx: tx.rows(
                f"SELECT * FROM job_run {only}ORDER BY started_at DESC LIMIT :limit",
                limit=max(1, min(first, 200)),
                **values,
            )
        )
        return [
            JobRun(
                id=strawberry.ID(row["id"]),
                job=row["job"],
                holder=row["holder"],
                started_at=moment(row["started_at"]),
                finished_at=moment(row["finished_at"]) if row["finished_at"] else None,
                outcome=row["outcome"],
            )
            for row in rows
        ]


@strawberry.type
class AdministrationMutation:
    """Changing what concerns the hub itself."""

    @strawberry.mutation(
        description="Make an API key.", graphql_type=answer("CreateApiKeyResult", NewApiKey)
    )
    async def create_api_key(
        self, info: Info, name: str, scopes: list[Scope], client: str | None = None
    ) -> NewApiKey:
        """Make a key and show its secret this once; one of the scope CLIENT names its client."""
        info.context.require(Scope.ADMIN)
        now = info.context.clock()
        key_id, secret = await info.context.write(
            lambda tx: keys.create(tx, name, scopes, now, client=client)
        )
        return NewApiKey(id=strawberry.ID(key_id), secret=secret)

    @strawberry.mutation(
        description="Refuse an API key from now on.",
        graphql_type=answer("RevokeApiKeyResult", Viewer),
    )
    async def revoke_api_key(
        self,
        info: Info,
        id: strawberry.ID,
    ) -> Viewer:
        """Revoke a key."""
        info.context.require(Scope.ADMIN)
        now = info.context.clock()

        def work(tx: Transaction) -> None:
            keys.revoke(tx, id, now)

        await info.context.write(work)
        return Viewer.of(info.context.caller)
