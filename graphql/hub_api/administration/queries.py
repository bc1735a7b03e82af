"""Queries for API keys and job runs."""

import orjson
import strawberry

from hub.access import keys
from hub.access.keys import Scope
from hub.clock import moment
from hub.storage.documents import values
from hub_api.administration.types import ApiKey, JobRun, Viewer
from hub_api.common.context import Info


@strawberry.type
class AdministrationQuery:
    """Reading what concerns the hub itself."""

    @strawberry.field(description="Who is asking.")
    async def viewer(self, info: Info) -> Viewer:
        return Viewer.of(info.context.caller)

    @strawberry.field(description="All API keys, the newest first.")
    async def api_keys(self, info: Info) -> list[ApiKey]:
        info.context.require(Scope.ADMIN)
        rows = await info.context.read(lambda tx: keys.listed(tx))
        return [
            ApiKey(
                id=strawberry.ID(row["id"]),
                name=row["name"],
                scopes=[Scope(scope) for scope in orjson.loads(row["scopes"])],
                client=row["client"],
                origins=None if row["origins"] is None else orjson.loads(row["origins"]),
                site=row["site"],
                commands=None if row["commands"] is None else values(row["commands"]),
                addresses=None if row["addresses"] is None else values(row["addresses"]),
                created_by=row["created_by"],
                created_at=moment(row["created_at"]),
                expires_at=moment(row["expires_at"]) if row["expires_at"] else None,
                last_used_at=moment(row["last_used_at"]) if row["last_used_at"] else None,
                last_used_from=row["last_used_from"],
                revoked_at=moment(row["revoked_at"]) if row["revoked_at"] else None,
            )
            for row in rows
        ]

    @strawberry.field(description="Runs of scheduled jobs, the newest first.")
    async def job_runs(self, info: Info, job: str | None = None, first: int = 50) -> list[JobRun]:
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
