"""The HTTP view: the protocol, the limits around it, and the semantics of the executor."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from hashlib import sha384
from typing import Annotated, Any, NewType

import httpx
import orjson
import pytest
import strawberry
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from hub_api.engine.documents import Documents, digest
from hub_api.engine.execution import DOCUMENT_MISS_COST, Execution
from hub_api.engine.limits import Limits
from hub_api.http.graphiql import FILES, SCRIPTS, STYLES, GraphiQL, files
from hub_api.http.view import GraphQLView, Unauthenticated

JSON = "application/json"
RESPONSE = "application/graphql-response+json"


class Known(Exception):
    """An error of ours that may be shown."""

    code = "ILLEGAL_STEP"


class Clash(Exception):
    """An error of ours that becomes a member of a union."""


@strawberry.enum
class Step(Enum):
    STORING = "storing"
    PICKING = "picking"


Upper = NewType("Upper", str)


def read_upper(value: object) -> str:
    if not isinstance(value, str) or not value.isupper():
        raise ValueError("write it in capitals")
    return value


@strawberry.interface
class Thing:
    id: strawberry.ID


@strawberry.type
class Box(Thing):
    width: int


@strawberry.type
class Unit(Thing):
    serial: str
    step: Step = Step.STORING
    price: Decimal = Decimal("1.50")
    since: date = date(2026, 1, 2)

    @strawberry.field
    async def twin(self, info: strawberry.Info) -> "Unit":
        return await info.context.units.load(self.serial)


@strawberry.type
class Problem:
    message: str


ScanResult = Annotated[Unit | Problem, strawberry.union("ScanResult")]


class ClashHandler(strawberry.ExceptionHandler[Clash, Problem]):
    def handle(self, exception: Clash, *, field: Any, info: Any) -> Problem:
        return Problem(message=str(exception))


@strawberry.type
class Query:
    @strawberry.field
    def unit(self, serial: str) -> Unit | None:
        return Unit(id=strawberry.ID("1"), serial=serial)

    @strawberry.field
    async def units(self, first: int = 3) -> list[Unit]:
        await asyncio.sleep(0)
        return [Unit(id=strawberry.ID(str(n)), serial=f"S{n}") for n in range(first)]

    @strawberry.field
    def things(self) -> list[Thing]:
        return [Box(id=strawberry.ID("b"), width=2), Unit(id=strawberry.ID("u"), serial="U")]

    @strawberry.field
    def shout(self, word: Upper, step: Step = Step.PICKING) -> str:
        return f"{word} {step.value}"

    @strawberry.field
    def whoami(self, info: strawberry.Info) -> str:
        return f"{info.context.who} {info.field_name} {sorted(info.variable_values)}"

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("the secret is 4711")

    @strawberry.field
    def refused(self) -> str:
        raise Known("picking comes after storing")

    @strawberry.field
    def missing(self) -> str:
        return None

    @strawberry.field
    def unserializable(self) -> int:
        return "secret 4711"

    @strawberry.field
    async def slow(self) -> str:
        await asyncio.Event().wait()
        return "never"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def note(self, info: strawberry.Info, word: str, turns: int = 0) -> list[str]:
        for _ in range(turns):
            await asyncio.sleep(0)
        info.context.notes.append(word)
        return list(info.context.notes)

    @strawberry.mutation
    def scan(self, serial: str) -> ScanResult:
        if serial == "twice":
            raise Clash("this serial exists")
        return Unit(id=strawberry.ID("1"), serial=serial)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number

    @strawberry.subscription
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the secret is 4711")

    @strawberry.subscription
    async def silent(self) -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1


SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    types=[Box],
    exception_handlers=[ClashHandler()],
    config=StrawberryConfig(
        scalar_map={Upper: strawberry.scalar(name="Upper", parse_value=read_upper, serialize=str)}
    ),
)


async def load_units(serials: list[str]) -> list[Unit]:
    LOADED.append(sorted(serials))
    return [Unit(id=strawberry.ID("t"), serial=serial.lower()) for serial in serials]


LOADED: list[list[str]] = []


@dataclass
class Context:
    who: str
    notes: list[str] = field(default_factory=list)
    units: DataLoader[str, Unit] = field(default_factory=lambda: DataLoader(load_units))


async def context(request: Request) -> Context:
    key = request.headers.get("authorization", "Bearer nobody").removeprefix("Bearer ")
    if key == "wrong":
        raise Unauthenticated("This key is not known.")
    if key == "bug":
        raise RuntimeError("the secret is 4711")
    return Context(key)


def expose(error: BaseException) -> Mapping[str, Any] | None:
    return {"code": error.code} if isinstance(error, Known) else None


def make(
    limits: Limits | None = None,
    spend: Any = None,
    timeout_seconds: float = 5.0,
    trusted: tuple[str, ...] = (),
    automatic: bool = True,
    **options: Any,
) -> GraphQLView:
    documents = Documents(SCHEMA, limits, trusted=trusted, automatic=automatic)
    execution = Execution(
        SCHEMA,
        documents,
        expose=expose,
        may_introspect=lambda context: context.who == "admin",
        spend=spend,
        timeout_seconds=timeout_seconds,
    )
    return GraphQLView(execution, context, **options)


VIEW = make()


def send(view: GraphQLView, method: str = "POST", **request: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=view, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.request(method, "/graphql", **request)

    return asyncio.run(run())


def ask(
    query: str,
    variables: Mapping[str, Any] | None = None,
    view: GraphQLView = VIEW,
    key: str = "nobody",
    accept: str = JSON,
) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "accept": accept}
    return send(view, json={"query": query, "variables": variables}, headers=headers)


def code(response: httpx.Response) -> str:
    return str(response.json()["errors"][0]["extensions"]["code"])


# --- what the schema means is kept ---


def test_scalars_enums_and_defaults_are_answered() -> None:
    answer = ask('{ unit(serial: "A") { id serial step price since } shout(word: "HO") }').json()

    assert answer == {
        "data": {
            "unit": {
                "id": "1",
                "serial": "A",
                "step": "STORING",
                "price": "1.50",
                "since": "2026-01-02",
            },
            "shout": "HO picking",
        }
    }


def test_interfaces_and_unions_are_resolved() -> None:
    things = ask("{ things { __typename id ... on Box { width } ... on Unit { serial } } }").json()
    scan = 'mutation { scan(serial: "x") { __typename ... on Unit { serial } } }'

    assert things["data"]["things"] == [
        {"__typename": "Box", "id": "b", "width": 2},
        {"__typename": "Unit", "id": "u", "serial": "U"},
    ]
    assert ask(scan).json()["data"]["scan"] == {"__typename": "Unit", "serial": "x"}


def test_exception_handlers_turn_errors_into_members_of_a_union() -> None:
    answer = ask('mutation { scan(serial: "twice") { ... on Problem { message } } }').json()

    assert answer == {"data": {"scan": {"message": "this serial exists"}}}


def test_mutations_run_one_after_another() -> None:
    query = """mutation {
      first: note(word: "a", turns: 5) second: note(word: "b") third: note(word: "c", turns: 2)
    }"""

    assert ask(query).json()["data"] == {
        "first": ["a"],
        "second": ["a", "b"],
        "third": ["a", "b", "c"],
    }


def test_a_dataloader_gathers_the_keys_of_a_level() -> None:
    LOADED.clear()
    answer = ask("{ units(first: 3) { twin { serial } } }").json()

    assert [unit["twin"]["serial"] for unit in answer["data"]["units"]] == ["s0", "s1", "s2"]
    assert LOADED == [["S0", "S1", "S2"]]


def test_info_has_the_context_and_the_variables() -> None:
    query = "query Q($a: Boolean!) { whoami @include(if: $a) }"

    assert ask(query, {"a": True}, key="ops").json()["data"]["whoami"] == "ops whoami ['a']"


def test_the_answers_are_those_of_strawberry_itself() -> None:
    queries = [
        "{ units(first: 2) { id serial step price twin { serial } } things { id __typename } }",
        '{ a: unit(serial: "1") { ...U } b: whoami } fragment U on Unit { serial twin { id } }',
        'mutation { note(word: "x") }',
        "{ missing }",
    ]
    for query in queries:
        expected = asyncio.run(SCHEMA.execute(query, context_value=Context("nobody")))
        assert ask(query).json()["data"] == expected.data


def test_a_schema_with_extensions_is_refused_at_start() -> None:
    schema = strawberry.Schema(Box, extensions=[SchemaExtension])

    with pytest.raises(ValueError, match="extensions"):
        Execution(schema, Documents(schema), expose=expose, may_introspect=bool)


# --- errors ---


@pytest.mark.parametrize("name", ["broken", "missing", "unserializable"])
def test_a_bug_is_masked_and_logged_under_the_id_the_client_got(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response = ask(f"{{ {name} }}")

    error = response.json()["errors"][0]
    assert "4711" not in response.text
    assert error["extensions"] == {
        "code": "INTERNAL",
        "requestId": response.headers["x-request-id"],
    }
    assert error["path"] == [name]
    record = caplog.records[-1]
    assert record.request_id == response.headers["x-request-id"]
    assert record.exc_info


def test_an_error_of_ours_is_shown_with_its_code() -> None:
    error = ask("{ refused }").json()["errors"][0]

    assert error["message"] == "picking comes after storing"
    assert error["extensions"] == {"code": "ILLEGAL_STEP"}
    assert error["path"] == ["refused"]


def test_a_bug_in_the_context_is_masked_too(caplog: pytest.LogCaptureFixture) -> None:
    response = ask("{ whoami }", key="bug")

    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert "4711" not in response.text
    assert "4711" in caplog.text


def test_a_page_full_of_errors_is_not_a_log_full_of_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ask("{ " + " ".join(f"b{n}: broken" for n in range(20)) + " }")

    assert 0 < len(caplog.records) <= 5


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query Q($w: Upper!) { shout(word: $w) }", {"w": "small"}),
        ("query Q($w: Upper!) { shout(word: $w) }", {}),
        ('query Q($s: Step) { shout(word: "A", step: $s) }', {"s": "NOPE"}),
    ],
)
def test_a_wrong_variable_is_the_callers_error(query: str, variables: dict[str, Any]) -> None:
    legacy, modern = ask(query, variables), ask(query, variables, accept=RESPONSE)

    assert (legacy.status_code, modern.status_code) == (200, 400)
    assert code(legacy) == code(modern) == "BAD_USER_INPUT"
    assert "data" not in modern.json()


def test_an_operation_that_takes_too_long_is_stopped() -> None:
    view = make(timeout_seconds=0.02)
    response = ask("{ slow }", view=view, accept=RESPONSE)

    assert (response.status_code, code(response)) == (503, "TIMEOUT")


# --- the protocol ---


def test_the_correlation_id_of_the_client_is_kept_if_it_is_sane() -> None:
    given = send(VIEW, json={"query": "{ whoami }"}, headers={"x-request-id": "abc-1.2"})
    strange = send(VIEW, json={"query": "{ whoami }"}, headers={"x-request-id": "a b<script>"})

    assert given.headers["x-request-id"] == "abc-1.2"
    assert len(strange.headers["x-request-id"]) == 16


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, {JSON};q=0.9", RESPONSE),
        (f"{JSON}, {RESPONSE};q=0.9", JSON),
        (f"{RESPONSE};q=0.1, {JSON};q=0.2", JSON),
        ("text/html, */*;q=0.8", JSON),
        (f"text/plain, {RESPONSE}; charset=utf-8", RESPONSE),
        (f"{RESPONSE};q=nonsense, {JSON}", JSON),
    ],
)
def test_the_answer_has_the_media_type_asked_for(accept: str, media: str) -> None:
    assert ask("{ whoami }", accept=accept).headers["content-type"] == f"{media}; charset=utf-8"


def test_who_takes_neither_json_gets_406_in_json() -> None:
    response = ask("{ whoami }", accept="image/png")

    assert response.status_code == 406
    assert response.json()["errors"]


@pytest.mark.parametrize(
    "body",
    [
        b"1",
        b"null",
        b'"query"',
        b"[]",
        b'[{"query":"{ whoami }"}]',
        b"{}",
        b"",
        b"{",
        b"\xff",
        b'{"query":1}',
        b'{"query":"{ whoami }","variables":[]}',
        b'{"query":"{ whoami }","variables":"x"}',
        b'{"query":"{ whoami }","operationName":{}}',
        b'{"query":"{ whoami }","extensions":[]}',
        b'{"query":"{ whoami }","extensions":{"persistedQuery":1}}',
        b"[" * 100_000,
    ],
)
def test_a_body_of_the_wrong_shape_is_400_in_json(body: bytes) -> None:
    response = send(VIEW, content=body, headers={"content-type": JSON})

    assert response.status_code == 400
    assert code(response) == "BAD_REQUEST"


@pytest.mark.parametrize(
    "media",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
    ],
)
def test_what_a_foreign_form_could_send_is_refused(media: str | None) -> None:
    headers = {"content-type": media} if media else {}
    response = send(VIEW, content=b'{"query":"mutation { note(word: \\"x\\") }"}', headers=headers)

    assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"'])
def test_json_may_say_that_it_is_utf8(charset: str) -> None:
    headers = {"content-type": f"application/json; charset={charset}"}

    assert send(VIEW, content=b'{"query":"{ whoami }"}', headers=headers).status_code == 200


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    view = make(body_bytes_max=100)
    response = send(view, content=b" " * 101, headers={"content-type": JSON})

    assert (response.status_code, code(response)) == (413, "BODY_LIMIT")


def test_a_body_that_grows_too_large_is_cut_off() -> None:
    read = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(50):
            read.append(number)
            yield b" " * 30

    response = send(make(body_bytes_max=100), content=chunks(), headers={"content-type": JSON})

    assert (response.status_code, code(response)) == (413, "BODY_LIMIT")
    assert len(read) < 10


def test_a_client_that_hangs_up_gets_no_answer() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def write(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "headers": headers, "query_string": b""}
    asyncio.run(VIEW(scope, receive, write))

    assert sent == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_told_which_are_allowed(method: str) -> None:
    response = send(VIEW, method)

    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


def test_get_answers_queries_only() -> None:
    query = send(
        VIEW,
        "GET",
        params={
            "query": "query Q($s: String!) { unit(serial: $s) { serial } }",
            "variables": '{"s":"é"}',
        },
    )
    mutation = send(VIEW, "GET", params={"query": 'mutation { note(word: "x") }'})
    hidden = send(
        VIEW,
        "GET",
        params={"query": 'query A { whoami } mutation B { note(word: "x") }', "operationName": "B"},
    )

    assert query.json() == {"data": {"unit": {"serial": "é"}}}
    assert (mutation.status_code, mutation.headers["allow"]) == (405, "POST")
    assert hidden.status_code == 405
    assert send(VIEW, "GET", params={"query": "{ whoami }", "variables": "{"}).status_code == 400
    assert send(VIEW, "GET", params={"query": "{ whoami }", "variables": "[1]"}).status_code == 400
    assert send(VIEW, "GET").status_code == 400


def test_get_may_be_kept_for_trusted_documents() -> None:
    trusted = "query Who { whoami }"
    view = make(trusted=(trusted,), get_trusted_only=True)

    assert send(view, "GET", params={"query": trusted}).status_code == 200
    assert send(view, "GET", params={"documentId": f"sha256:{digest(trusted)}"}).status_code == 200
    assert send(view, "GET", params={"query": "{ whoami }"}).status_code == 405


def test_strangers_get_401_in_json() -> None:
    response = ask("{ whoami }", key="wrong")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "errors": [{"message": "This key is not known.", "extensions": {"code": "UNAUTHENTICATED"}}]
    }


# --- limits ---


@pytest.mark.parametrize(
    ("query", "limits", "expected"),
    [
        ("{ units { twin { twin { id } } } }", Limits(depth_max=3), "DEPTH_LIMIT"),
        ("{ a: whoami b: whoami }", Limits(aliases_max=1), "ALIAS_LIMIT"),
        ("{ whoami whoami whoami }", Limits(tokens_max=4), "TOKEN_LIMIT"),
        ("{ units(first: 100) { id } }", Limits(cost_max=50), "COST_LIMIT"),
    ],
)
def test_limits_are_typed_errors(query: str, limits: Limits, expected: str) -> None:
    response = ask(query, view=make(limits), accept=RESPONSE)
    extensions = response.json()["errors"][0]["extensions"]

    assert (response.status_code, extensions["code"]) == (400, expected)
    assert extensions["measured"] > extensions["max"]


def test_the_page_size_in_a_variable_counts() -> None:
    query = "query Q($n: Int!) { units(first: $n) { id } }"

    assert ask(query, {"n": 10}).status_code == 200
    assert code(ask(query, {"n": 1_000_000})) == "COST_LIMIT"


def test_introspection_is_for_those_who_may() -> None:
    query = "{ __schema { queryType { name } } }"

    assert code(ask(query)) == "INTROSPECTION_DISABLED"
    assert ask(query, key="admin").json()["data"]["__schema"]["queryType"]["name"] == "Query"
    assert ask("{ __typename }").json() == {"data": {"__typename": "Query"}}


def test_the_limiter_is_asked_with_the_cost_and_its_answer_is_429() -> None:
    asked: list[int] = []

    async def spend(context: Context, cost: int) -> float | None:
        asked.append(cost)
        return 2.1 if context.who == "busy" else None

    view = make(spend=spend)
    assert ask("{ units(first: 4) { id } }", view=view).status_code == 200
    assert asked == [DOCUMENT_MISS_COST, 1 + 4]
    asked.clear()
    response = ask("{ units(first: 4) { id } }", view=view, key="busy")
    assert asked == [1 + 4]
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert code(response) == "RATE_LIMITED"


# --- persisted documents ---


def persisted(text: str, *, query: str | None = None) -> dict[str, Any]:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}
    return {"extensions": extensions} | ({"query": query} if query else {})


def test_an_automatic_persisted_query_is_learned_and_then_known() -> None:
    view, text = make(), "{ whoami }"

    unknown = send(view, json=persisted(text))
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert code(unknown) == "PERSISTED_QUERY_NOT_FOUND"
    assert send(view, json=persisted(text, query=text)).status_code == 200
    assert send(view, json=persisted(text)).json()["data"]
    assert send(
        view, "GET", params={"extensions": orjson.dumps(persisted(text)["extensions"]).decode()}
    ).json()["data"]


def test_a_hash_of_something_else_is_refused() -> None:
    response = send(make(), json=persisted("{ other }", query="{ whoami }"))

    assert response.status_code == 400


def test_persisting_can_be_switched_off() -> None:
    view, text = make(automatic=False), "{ whoami }"
    send(view, json=persisted(text, query=text))

    assert code(send(view, json=persisted(text))) == "PERSISTED_QUERY_NOT_FOUND"


# --- server-sent events ---


def test_a_subscription_over_plain_post_is_told_where_to_go() -> None:
    response = ask("subscription { count(upto: 2) }")

    assert response.status_code == 400
    assert "text/event-stream" in response.text


def test_a_subscription_streams_events() -> None:
    response = ask("subscription { count(upto: 2) }", accept="text/event-stream")

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text == (
        'event: next\ndata: {"data":{"count":0}}\n\n'
        'event: next\ndata: {"data":{"count":1}}\n\n'
        "event: complete\ndata:\n\n"
    )


def test_a_query_may_be_streamed_too() -> None:
    response = ask("{ whoami }", accept="text/event-stream")

    assert response.text.count("event: next") == response.text.count("event: complete") == 1


def test_a_wrong_subscription_is_json_not_a_stream() -> None:
    response = ask("subscription { count(upto: true) }", accept="text/event-stream")

    assert response.status_code == 400
    assert response.json()["errors"]


def test_a_subscription_that_breaks_is_masked_and_ends() -> None:
    response = ask("subscription { breaks }", accept="text/event-stream")

    assert "4711" not in response.text
    assert '"code":"INTERNAL"' in response.text
    assert response.text.endswith("event: complete\ndata:\n\n")


def listen(view: GraphQLView, query: str, hang_up_after: int) -> list[bytes]:
    """Open a stream by hand and hang up after so many pieces."""
    pieces: list[bytes] = []
    body = orjson.dumps({"query": query})

    async def run() -> None:
        enough = asyncio.Event()
        first = True

        async def receive() -> dict[str, Any]:
            nonlocal first
            if first:
                first = False
                return {"type": "http.request", "body": body}
            await enough.wait()
            return {"type": "http.disconnect"}

        async def write(message: Any) -> None:
            if message["type"] == "http.response.body":
                pieces.append(message["body"])
            if len(pieces) >= hang_up_after:
                enough.set()

        headers = [(b"content-type", b"application/json"), (b"accept", b"text/event-stream")]
        scope = {"type": "http", "method": "POST", "headers": headers, "query_string": b""}
        await asyncio.wait_for(view(scope, receive, write), 5)

    asyncio.run(run())
    return pieces


def test_a_silent_stream_is_kept_alive_and_ends_when_the_client_goes() -> None:
    view = make(keep_alive_seconds=0.01, streams_max=1)

    assert listen(view, "subscription { silent }", 3)[:3] == [b":\n\n"] * 3
    # The place of the first stream is free again.
    assert listen(view, "subscription { silent }", 1)[0] == b":\n\n"


def test_the_number_of_open_streams_is_bounded() -> None:
    response = ask("subscription { silent }", view=make(streams_max=0), accept="text/event-stream")

    assert (response.status_code, code(response)) == (503, "STREAM_LIMIT")


# --- the page ---


def test_browsers_get_graphiql_where_it_is_enabled() -> None:
    page = GraphiQL({"who": "query Who { whoami } # </script>"}, static_path="/assets")
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = send(make(graphiql=page), "GET", headers=browser)

    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert '<script src="/assets/boot.js"></script>' in response.text
    assert "query Who { whoami } # \\u003c/script>" in response.text
    assert "https://" not in response.text
    assert send(make(), "GET", headers=browser).status_code == 400
    assert send(make(graphiql=page), "GET", params={"query": "{ whoami }"}, headers=browser).json()[
        "data"
    ]
    assert send(make(graphiql=page), "GET").status_code == 400


#: What the packages' own page asks a browser to check.
PUBLISHED = {
    "react-18.2.0.min.js": "tMH8h3BGESGckSAVGZ82T9n90ztNXxvdwvdM6UoR56cYcf+0iGXBliJ29D+wZ/x8",
    "react-dom-18.2.0.min.js": "bm7MnzvK++ykSwVJ2tynSE5TRdN+xL418osEVF2DE/L/gfWHj91J2Sphe582B1Bh",
    "js-cookie-3.0.5.min.js": "/vxhYfM1LENRhdpZ8dwEsQn/X4VhpbEZSiU4m/FwR+PVpzar4fkEOw8FP9Y+OfQN",
    "graphiql-3.8.3.min.css": "Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM",
    "explorer-1.0.2.css": "5DFJlDPW2tSATRbM8kzoP1j194jexLswuNmClWoRr2Q0x7R68JIQzPHZ02Faktwi",
    "graphiql-3.8.3.min.js": "HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie",
    "explorer-1.0.2.umd.js": "2oonKe47vfHIZnmB6ZZ10vl7T0Y+qrHQF2cmNTaFDuPshpKqpUMGMc9jgj9MLDZ9",
}


def test_the_files_of_the_page_are_the_published_ones_and_all_are_there() -> None:
    for name, published in PUBLISHED.items():
        found = b64encode(sha384((FILES / name).read_bytes()).digest()).decode()
        assert (name, found) == (name, published)

    assert {*STYLES, *SCRIPTS} == {*PUBLISHED, "page.css", "boot.js"}
    assert all((FILES / name).is_file() for name in (*STYLES, *SCRIPTS, "LICENSES"))


def test_files_with_a_version_in_their_name_are_kept_by_browsers() -> None:
    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=Starlette(routes=[Mount("/page", files())]))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return [
                await client.get(f"/page/{name}")
                for name in ("react-18.2.0.min.js", "boot.js", "x.js")
            ]

    versioned, ours, missing = asyncio.run(run())
    assert "immutable" in versioned.headers["cache-control"]
    assert "no-cache" in ours.headers["cache-control"]
    assert ours.headers["content-type"].startswith("text/javascript")
    assert missing.status_code == 404


def test_an_error_raised_as_a_graphql_error_is_masked_unless_exposed() -> None:
    @strawberry.type
    class Bare:
        @strawberry.field
        def leak(self) -> str:
            raise GraphQLError("the secret is 4711")

    schema = strawberry.Schema(Bare)
    execution = Execution(schema, Documents(schema), expose=expose, may_introspect=bool)

    assert "4711" not in ask("{ leak }", view=GraphQLView(execution, context)).text


def test_graphiql_fills_in_the_variables_that_an_example_brings_along() -> None:
    text = '# Find one.\n# variables: {"identifier": "SN-1"}\nquery Q { hello }\n'
    page = GraphiQL({"find": text, "plain": "{ hello }"}).page().body.decode()
    settings = page.split('<script type="application/json" id="settings">')[1].split("</script>")[0]
    find, plain = orjson.loads(settings)["examples"]
    assert orjson.loads(find["variables"]) == {"identifier": "SN-1"}
    assert plain["variables"] is None
