"""The 61 audits of graphql-http, over a real socket.

`SERIAL_HUB_AUDIT_URL` (and `SERIAL_HUB_AUDIT_KEY`) point them at a running hub instead.
"""

import os
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
from hub_api.documents import Documents
from hub_api.execution import Execution
from hub_api.view import GraphQLView

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
    with socket.socket() as listener:
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


@pytest.mark.skipif("SERIAL_HUB_AUDIT_URL" not in os.environ, reason="no hub to audit was named")
@pytest.mark.skipif(missing() is not None, reason=missing() or "")
def test_every_audit_passes_on_a_running_hub() -> None:
    key = os.environ.get("SERIAL_HUB_AUDIT_KEY")

    assert (
        complaints(
            os.environ["SERIAL_HUB_AUDIT_URL"], {"authorization": f"Bearer {key}"} if key else None
        )
        == []
    )
