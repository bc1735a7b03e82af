"""Uploads: files of units over HTTP, kept on disk as they arrive and read in after the answer.

``POST /imports?location=WH&name=stock.csv`` with the file as its body answers 202 with the id of
the run; ``import(id:)`` of the API tells how far it is. The same file again goes on with its run.
"""

import asyncio
import logging
import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from hub import imports
from hub.access.keys import Scope
from hub.commands.context import CommandContext
from hub.errors import Forbidden, InvalidInput, Refused
from hub.imports import Plan, Run
from hub.imports.command import mapping
from hub.settings import Settings
from hub.storage.database import Database
from hub_api.engine.wire import RequestError
from hub_api.http.access import Access
from hub_api.http.view import Unauthenticated

logger = logging.getLogger(__name__)

SWITCHES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
NAME_CHARS_MAX = 200
IMPORTS = "imports"  # the group that a narrowed key needs


class Uploads:
    """The endpoint for files. A few are read in at once: a small one waits for no large one.

    Scanners come first: each file is written batch by batch, and never more files than set.
    """

    def __init__(self, database: Database, access: Access, settings: Settings) -> None:
        self._database = database
        self._access = access
        self._bytes_max = settings.import_bytes_max
        self._seconds_max = settings.import_seconds_max
        self._turn = asyncio.Semaphore(max(1, settings.imports_at_once))

    async def receive(self, request: Request) -> Response:
        """Take one file in."""
        try:
            context = await self._access.by_request(request)
            context.require(Scope.OPS, Scope.ADMIN)
            if context.caller.commands is not None and IMPORTS not in context.caller.commands:
                raise Forbidden("this key may not import")
        except Unauthenticated as error:
            return _refusal(401, "UNAUTHENTICATED", str(error), {"www-authenticate": "Bearer"})
        except RequestError as error:  # a publishable key of pages elsewhere
            return _refusal(error.status, "ORIGIN_NOT_ALLOWED", str(error))
        except Forbidden as refusal:
            return _refusal(403, refusal.code, str(refusal))
        with tempfile.NamedTemporaryFile(prefix="serial-hub-", delete=False) as spool:
            path = Path(spool.name)
        kept = False
        try:
            if not await self._kept(request, path):
                return _refusal(413, "BODY_TOO_LARGE", f"At most {self._bytes_max} bytes.")
            command_context = context.command_context()
            run = await self._begin(request.query_params, command_context, path)
            kept = run.state != "finished"
        except ClientDisconnect:
            return Response(status_code=400)
        except Refused as refusal:
            return _refusal(422, refusal.code, str(refusal))
        finally:
            if not kept:
                path.unlink()
        work = BackgroundTask(self._carry_out, command_context, run, path) if kept else None
        answer = {"id": run.id, "state": run.state, "dryRun": run.dry_run, "done": run.done}
        return JSONResponse(answer, status_code=202 if kept else 200, background=work)

    async def _kept(self, request: Request, path: Path) -> bool:
        """Write the body to disk as it comes; say whether it was small enough."""
        length = 0
        with path.open("wb") as file:
            async for part in request.stream():
                length += len(part)
                if length > self._bytes_max:
                    return False
                await asyncio.to_thread(file.write, part)
        if length == 0:
            raise InvalidInput("send the file as the body", field="file")
        return True

    async def _begin(self, query: QueryParams, context: CommandContext, path: Path) -> Run:
        plan = Plan(
            location=query.get("location"),
            product=query.get("product"),
            columns=mapping(query.getlist("map")),
            delimiter=query.get("delimiter"),
            encoding=query.get("encoding"),
            sheet=query.get("sheet"),
            unserialized_stock=_switch(query, "unserialized_stock"),
        )
        return await asyncio.to_thread(
            imports.begin,
            self._database,
            context,
            path,
            plan,
            name=query.get("name", "upload")[:NAME_CHARS_MAX],
            dry_run=_switch(query, "dryRun"),
            resume=True,
        )

    async def _carry_out(self, context: CommandContext, run: Run, path: Path) -> None:
        try:
            async with self._turn:
                await asyncio.to_thread(
                    imports.carry_out,
                    self._database,
                    context,
                    run,
                    seconds_max=self._seconds_max,
                )
        except Exception:
            # The run keeps what went wrong; sent again, the file goes on from there.
            logger.exception("import %s was broken off", run.id)
        finally:
            path.unlink()


def _switch(query: QueryParams, name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in SWITCHES:
        raise InvalidInput(f"{name} is true or false, not {text[:20]!r}", field=name)
    return SWITCHES[text]


def _refusal(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    return JSONResponse(
        {"error": {"code": code, "message": message}}, status_code=status, headers=headers
    )
