"""What every connector promises of the wire: each status its error, no secret in any message.

Here the other side is no simulator but an answer: the same one to every call that the connector's
capabilities can make.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from connectors.contract import (
    CancelOrders,
    Connector,
    LookupDevice,
    LookupWarranty,
    PullOrders,
    PullReturns,
    PushedEvent,
    PushedLevel,
    PushEvents,
    PushFulfillment,
    PushStock,
    ReceiveWebhooks,
    RegisterWarranty,
    SendNotice,
    SnapshotOrders,
    SnapshotStock,
    capabilities,
)
from connectors.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    Moved,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.testing.case import (
    Class,
    ConformanceFailure,
    require,
    require_equal,
    require_raises,
)
from connectors.toolkit.rate_limits import NoRateLimits
from hub.vocabulary import (
    Cancellation,
    Contact,
    DeviceQuestion,
    Fulfillment,
    FulfillmentLine,
    LedgerEvent,
    Notice,
    Registration,
    StockLevel,
    Warranty,
    WarrantyQuestion,
    WarrantyStatus,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
RETRY_AFTER_SECONDS = 7.0
NOT_KNOWN_HERE = (404, 410)
STATUS_ERRORS: tuple[tuple[int, type[ConnectorError]], ...] = (
    (301, Rejected),
    (400, Rejected),
    (401, AuthFailed),
    (402, Rejected),
    (403, AuthFailed),
    (404, NotFound),
    (408, Transient),
    (409, Conflict),
    (410, NotFound),
    (412, Conflict),
    (418, Rejected),
    (422, Rejected),
    (425, Transient),
    (429, RateLimited),
    (500, Transient),
    (502, Transient),
    (503, Transient),
)

Call = Callable[[], Awaitable[Any]]
Answer = Callable[[httpx.Request], httpx.Response]


@dataclass(frozen=True)
class ConnectorUnderTest:
    """A connector with one account, and what its calls are about."""

    connector: Class
    settings: Mapping[str, Any]
    level_remote: Mapping[str, str]
    order_ref: str = "1"

    def model(self) -> BaseModel:
        """Return its settings, checked."""
        return self.connector.settings_model.model_validate(dict(self.settings))

    def make(self, answer: Answer) -> Connector[Any]:
        """Build it on a fake wire, without pace and without quick retries."""
        settings = self.model()
        remote = self.connector.remote(settings)
        transport = httpx.MockTransport(answer)
        api = RemoteApi(remote, attempts=1, transport=transport, rate_limits=NoRateLimits())
        return self.connector(settings, api)

    def secrets(self) -> list[str]:
        """Return the values that must never show."""
        settings = self.model()
        values = (getattr(settings, name) for name in type(settings).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

    async def outcomes(self, answer: Answer) -> dict[str, Any]:
        """Make every call and collect what it raised, or else what it returned."""
        connector = self.make(answer)
        calls = _calls(connector, self.order_ref, self.level_remote)
        found = {name: await _outcome(name, call) for name, call in calls.items()}
        await connector.api.aclose()
        return found


async def status_becomes(
    under_test: ConnectorUnderTest, status: int, error: type[ConnectorError]
) -> None:
    """Any call that meets a status raises the error that belongs to it."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"retry-after": "7"}, text="no")

    for name, outcome in (await under_test.outcomes(answer)).items():
        if status in NOT_KNOWN_HERE and _is_an_answer(under_test.connector, name, outcome):
            continue
        require(type(outcome) is error, f"{status}, {name}: {outcome!r}, not {error.__name__}")
        if isinstance(outcome, RateLimited):
            require_equal(outcome.retry_after, RETRY_AFTER_SECONDS, f"the wait of {name}")


async def never_sent(under_test: ConnectorUnderTest) -> None:
    """A wire that breaks before the request is Transient: the repeat need not look."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("slow", request=request)

    for name, outcome in (await under_test.outcomes(answer)).items():
        require(type(outcome) is Transient, f"{name}: {outcome!r}, not Transient")


async def silence(under_test: ConnectorUnderTest, broken: type[httpx.TransportError]) -> None:
    """Silence after the request is Unknown: it may have happened, and the repeat looks first."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise broken("silence")

    for name, outcome in (await under_test.outcomes(answer)).items():
        require(type(outcome) is Unknown, f"{name}: {outcome!r}, not Unknown")


async def page_of_a_proxy(under_test: ConnectorUnderTest) -> None:
    """Status 200 with HTML raises one of the six, not an error of our own."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>maintenance</html>")

    for name, outcome in (await under_test.outcomes(answer)).items():
        require(isinstance(outcome, ConnectorError), f"{name}: {outcome!r}")


async def walls(under_test: ConnectorUnderTest) -> None:
    """A page for browsers with 401 or 403 is Transient: no credentials were refused."""
    page = "<!DOCTYPE html><html><title>Just a moment...</title></html>"
    for status, headers in ((403, {"cf-mitigated": "challenge"}), (403, {}), (401, {})):

        def answer(
            _: httpx.Request, status: int = status, headers: Mapping[str, str] = headers
        ) -> httpx.Response:
            return httpx.Response(status, headers=headers, html=page)

        for name, outcome in (await under_test.outcomes(answer)).items():
            require(
                type(outcome) is Transient,
                f"{name}, a bot wall's {status} with HTML: {outcome!r}, not Transient: raise "
                "AuthFailed only for a refusal in the API's own language (status_error does)",
            )


async def redirects(under_test: ConnectorUnderTest) -> None:
    """A redirect to another host is Moved, names its target, and is not followed."""
    hosts: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.add(request.url.host)
        return httpx.Response(301, headers={"location": "https://elsewhere.test/api?token=1"})

    for name, outcome in (await under_test.outcomes(answer)).items():
        require(isinstance(outcome, Moved), f"{name}, a redirect: {outcome!r}, not Moved")
        require("https://elsewhere.test/api" in str(outcome), f"{name}: {outcome} names no target")
    require("elsewhere.test" not in hosts, "credentials went to the host that a redirect names")


async def no_content(under_test: ConnectorUnderTest) -> None:
    """An answer without content is an empty list, nothing, or one of the six; never a bug."""
    for name, outcome in (await under_test.outcomes(lambda _: httpx.Response(204))).items():
        if name in ("pull_orders", "pull_returns") and not isinstance(outcome, ConnectorError):
            require_equal((outcome.items, outcome.more), ((), False), f"{name}, a page of 204")


async def errors_contain_no_secret(under_test: ConnectorUnderTest) -> None:
    """Even a remote that echoes our headers and query strings cannot make us log them."""

    def answer(request: httpx.Request) -> httpx.Response:
        echo = {**request.headers, "url": f"{request.url}?token=in-the-query"}
        return httpx.Response(422, text=json.dumps(echo) + "x" * 1000)

    for name, outcome in (await under_test.outcomes(answer)).items():
        message = str(outcome)
        require(len(message) <= ERROR_TEXT_CHARS_MAX, f"{name} tells {len(message)} characters")
        require("in-the-query" not in message, f"{name} tells what stood in the query")
        require(
            not [each for each in under_test.secrets() if each in message], f"{name} tells a secret"
        )


async def secrets_do_not_show(under_test: ConnectorUnderTest) -> None:
    """Settings and what is built of them can be logged."""
    built = under_test.make(lambda _: httpx.Response(200))
    settings, remote = under_test.model(), under_test.connector.remote(under_test.model())
    shown = f"{settings!r} {settings} {remote!r} {built!r}"
    shown += " ".join(under_test.connector.account(settings))
    require(not [each for each in under_test.secrets() if each in shown], "a secret shows")
    for name, each in under_test.connector.settings_model.model_fields.items():
        extra = each.json_schema_extra
        public = isinstance(extra, dict) and extra.get("secret") is False
        if re.search(r"(secret|token|password|_key)$", name) and not public:
            secret = each.annotation in (SecretStr, SecretStr | None)
            require(
                secret,
                f"the setting {name} sounds like a secret: make it a SecretStr, or state that it "
                "is none by Field(json_schema_extra={'secret': False})",
            )
    await built.api.aclose()


async def unsigned_webhooks(under_test: ConnectorUnderTest) -> None:
    """Nothing unsigned comes in, and nothing that cannot be read stops the others."""
    connector = under_test.make(lambda _: httpx.Response(200))
    if not isinstance(connector, ReceiveWebhooks):
        return
    for headers in ({}, {"x-signature": "é"}):
        with require_raises(AuthFailed, f"a delivery with {headers}"):
            connector.verify(headers, b"{}", NOW)
    for body in (b"{}", b"[]", b"not json", b"\xff", b'{"data": 1, "order": 2}'):
        require(not connector.read("a topic that nobody knows", body), f"{body!r} names orders")
        if isinstance(connector, SendNotice):
            message = connector.receipts("a topic that nobody knows", body)
            require(not message, f"{body!r} tells of messages")
    await connector.api.aclose()


async def levels_without_references(under_test: ConnectorUnderTest) -> None:
    """A level without references is NotFound in its place; nothing is raised, nor for none."""
    connector: Any = under_test.make(lambda _: httpx.Response(200, json={}))
    if isinstance(connector, PushStock):
        level = StockLevel(listing="L1", sku="A-1", available=3, remote={})
        (result,) = await connector.push_stock([level])
        require_equal(result.listing, "L1", "the listing that is answered for")
        require(isinstance(result.error, NotFound), f"{result.error!r}, not NotFound")
        require_equal(list(await connector.push_stock([])), [], "the answers for no level")
    await connector.api.aclose()


async def plain_key(under_test: ConnectorUnderTest) -> None:
    """The key stands in URLs; a connector without a capability is a mistake."""
    key = under_test.connector.key
    require(re.fullmatch(r"[a-z][a-z0-9_]*", key), f"the key {key!r}: small letters and digits")
    require(capabilities(under_test.connector), "it has no capability")


async def empty_answers(under_test: ConnectorUnderTest, empty_page: Any) -> None:
    """An empty page is the end for now: no items, no more, and a cursor that is taken again."""
    connector: Any = under_test.make(lambda _: httpx.Response(200, json=empty_page))
    streams = [connector.pull_orders]
    if isinstance(connector, PullReturns):
        streams.append(connector.pull_returns)
    for pull in streams:
        cursor = ""
        for _ in range(2):
            page = await pull(cursor)
            require_equal((page.items, page.more), ((), False), "an empty page")
            cursor = page.cursor
    await connector.api.aclose()


def _calls(connector: Any, order_ref: str, level_remote: Mapping[str, str]) -> dict[str, Call]:
    """Build one harmless call for each capability that goes over the wire."""
    line = FulfillmentLine(order_line_ref="1", serials=("SN1",))
    shipped = Fulfillment(reference="F1", order_ref=order_ref, lines=(line,), shipped_at=NOW)
    level = StockLevel(
        listing="L1", sku="A-1", available=3, remote=level_remote, expected=2, key="k-1"
    )
    question = WarrantyQuestion(serial="SN1", product="P1")
    sold = Registration(reference="R1", serial="SN1", product="P1", sold_on=date(2026, 11, 1))
    notice = Notice(
        reference="N1", contact=Contact(email="ann@example.org"), subject="Recall", text="Stop."
    )
    event = LedgerEvent(
        id="0190f5e0-0000-7000-8000-000000000001", serial="SN1", sku="A-1",
        gtin="04006381333931", action="ship", biz_step="shipping", disposition="in_transit",
        occurred_at=NOW, read_point="WH",
    )  # fmt: skip
    device = DeviceQuestion(identifier="00208851107345")
    ended = Cancellation(reference="C1", order_ref=order_ref, reason="out of stock")
    able: list[tuple[type, str, Call]] = [
        (Connector, "check", lambda: connector.check()),
        (PullOrders, "pull_orders", lambda: connector.pull_orders("")),
        (PullOrders, "read_order", lambda: connector.read_order(order_ref)),
        (PullReturns, "pull_returns", lambda: connector.pull_returns("")),
        (PullReturns, "read_returns", lambda: connector.read_returns(order_ref)),
        (CancelOrders, "cancel_order", lambda: connector.cancel_order(ended)),
        (PushStock, "push_stock", lambda: connector.push_stock([level])),
        (SnapshotStock, "snapshot_stock", lambda: anext(connector.snapshot_stock())),
        (SnapshotOrders, "snapshot_orders", lambda: anext(connector.snapshot_orders(NOW, NOW))),
        (PushFulfillment, "push_fulfillment", lambda: connector.push_fulfillment(shipped)),
        (LookupWarranty, "lookup_warranty", lambda: connector.lookup_warranty([question])),
        (RegisterWarranty, "register_warranty", lambda: connector.register_warranty(sold)),
        (PushEvents, "push_events", lambda: connector.push_events([event])),
        (PushEvents, "read_push", lambda: connector.read_push("job-1", [event])),
        (LookupDevice, "lookup_device", lambda: connector.lookup_device(device)),
        (SendNotice, "send_notice", lambda: connector.send_notice(notice)),
    ]
    return {name: call for kind, name, call in able if isinstance(connector, kind)}


def _is_an_answer(connector: Class, name: str, outcome: Any) -> bool:
    """Who does not know a serial or a device has answered: it is UNKNOWN, or nothing."""
    if issubclass(connector, LookupDevice):
        return outcome is None
    if not issubclass(connector, LookupWarranty):
        return False
    if name == "lookup_warranty":
        return (
            isinstance(outcome, list | tuple)
            and len(outcome) == 1
            and isinstance(outcome[0], Warranty)
            and outcome[0].status is WarrantyStatus.UNKNOWN
        )
    return name == "check" and outcome is None


async def _outcome(name: str, call: Call) -> Any:
    try:
        result = await call()
    except ConnectorError as error:
        return error
    except StopAsyncIteration:
        return None  # a snapshot of nothing
    except Exception as error:
        raise ConformanceFailure(f"{name} raises {error!r}, which is none of the six") from error
    # The failure of one level, or of one event, is reported in its place.
    one = isinstance(result, list) and len(result) == 1
    if one and isinstance(result[0], PushedLevel | PushedEvent):
        return result[0].error or result
    return result
