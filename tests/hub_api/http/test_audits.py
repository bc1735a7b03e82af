"""The 61 audits of graphql-http, over a real socket: against the view alone, and the whole hub."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
import strawberry
import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp

from audits.run_audits import missing, run_audits
from hub.access import keys
from hub.access.keys import Scope
from hub.settings import Settings
from hub_api.engine.documents import Documents
from hub_api.engine.execution import Execution
from hub_api.http.view import GraphQLView
from serial_hub.cli import compose
from world import KEY, World

AUDITS = 61
START_SECONDS_MAX = 10.0


@strawberry.type
class Query:
    hello: str = "world"


async def context(request: Request) -> None:
    """Everybody may ask: the audits bring no key."""


def app() -> GraphQLView:
    schema = strawberry.Schema(Query)
    execution = Execution(
        schema, Documents(schema), expose=lambda error: None, may_introspect=lambda context: True
    )
    return GraphQLView(execution, context)


@contextmanager
def served(application: ASGIApp) -> Iterator[str]:
    """Serve an application on a free loopback port for as long as the block runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + START_SECONDS_MAX
            while not server.started:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            thread.join(timeout=START_SECONDS_MAX)


def complaints(url: str, headers: Mapping[str, str] | None = None) -> list[str]:
    results = run_audits(url, headers)
    assert len(results) == AUDITS
    return [
        f"{one['id']} {one['name']}: {one['reason']}" for one in results if one["status"] != "ok"
    ]


@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_every_audit_of_graphql_over_http_passes() -> None:
    with served(app()) as url:
        assert complaints(url) == []


@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_every_audit_passes_on_the_hub_itself(world: World) -> None:
    _, secret = world.write(lambda tx: keys.create(tx, "audits", [Scope.OPS], world.now))
    settings = Settings(database=world.database.url, secret_key=KEY)
    with served(compose(settings, world.database, works=False)) as url:
        assert complaints(url, {"authorization": f"Bearer {secret}"}) == []
