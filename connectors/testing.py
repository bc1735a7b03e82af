"""The conformance suite: inherit it, and a connector's promises are tested for you.

class TestEtsy(ConnectorSuite):
    connector = Etsy
    settings = {"url": "https://shop.test/", "api_key": "not-a-real-key"}
    level_remote = {"listing_id": "1"}
    empty_page = {"results": []}

It plays the other side of the wire: every status, a wire that breaks before and after the request,
an unsigned webhook. What a remote means is for your own tests to show.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar, TypeVar

import httpx
import pytest
from pydantic import SecretStr

from connectors.budgets import NoBudgets
from connectors.contract import (
    Connector,
    LookupWarranty,
    PullOrders,
    PushedLevel,
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
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from hub.vocabulary import (
    Contact,
    Fulfillment,
    FulfillmentLine,
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
ANSWERS: tuple[tuple[int, type[ConnectorError]], ...] = (
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

Result = TypeVar("Result")
Call = Callable[[], Awaitable[Any]]
Answer = Callable[[httpx.Request], httpx.Response]


class ConnectorSuite:
    """What every connector promises. Set `connector` and `settings`, and what else applies."""

    connector: ClassVar[type[Connector[Any]]]
    settings: ClassVar[Mapping[str, Any]]
    level_remote: ClassVar[Mapping[str, str]] = {}
    """The references of one listing, as `snapshot_stock` yields them."""
    order_ref: ClassVar[str] = "1"
    empty_page: ClassVar[Any] = None
    """The JSON with which the remote answers when there are no orders."""

    def make(self, answer: Answer) -> Connector[Any]:
        """Build the connector on a fake wire, without pace and without quick retries."""
        settings = self.connector.settings_model.model_validate(dict(self.settings))
        remote = self.connector.remote(settings)
        wire = httpx.MockTransport(answer)
        api = RemoteApi(remote, attempts=1, transport=wire, budgets=NoBudgets())
        return self.connector(settings, api)

    def calls(self, connector: Any) -> dict[str, Call]:
        """Build one harmless call for each capability that goes over the wire."""
        line = FulfillmentLine(order_line_ref="1", serials=("SN1",))
        shipped = Fulfillment(
            reference="F1", order_ref=self.order_ref, lines=(line,), shipped_at=NOW
        )
        level = StockLevel(
            listing="L1", sku="A-1", available=3, remote=self.level_remote, expected=2, key="k-1"
        )
        question = WarrantyQuestion(serial="SN1", product="P1")
        sold = Registration(reference="R1", serial="SN1", product="P1", sold_on=date(2026, 11, 1))
        notice = Notice(
            reference="N1", contact=Contact(email="ann@example.org"), subject="Recall", text="Stop."
        )
        able: list[tuple[type, str, Call]] = [
            (Connector, "check", lambda: connector.check()),
            (PullOrders, "pull_orders", lambda: connector.pull_orders("")),
            (PullOrders, "read_order", lambda: connector.read_order(self.order_ref)),
            (PushStock, "push_stock", lambda: connector.push_stock([level])),
            (SnapshotStock, "snapshot_stock", lambda: anext(connector.snapshot_stock())),
            (SnapshotOrders, "snapshot_orders", lambda: anext(connector.snapshot_orders(NOW, NOW))),
            (PushFulfillment, "push_fulfillment", lambda: connector.push_fulfillment(shipped)),
            (LookupWarranty, "lookup_warranty", lambda: connector.lookup_warranty([question])),
            (RegisterWarranty, "register_warranty", lambda: connector.register_warranty(sold)),
            (SendNotice, "send_notice", lambda: connector.send_notice(notice)),
        ]
        return {name: call for kind, name, call in able if isinstance(connector, kind)}

    def outcomes(self, answer: Answer) -> dict[str, Any]:
        """Make every call and collect what it raised, or else what it returned."""
        connector = self.make(answer)

        async def play() -> dict[str, Any]:
            found = {name: await _outcome(call) for name, call in self.calls(connector).items()}
            await connector.api.aclose()
            return found

        return _run(play())

    @pytest.mark.parametrize(("status", "error"), ANSWERS)
    def test_every_status_becomes_one_of_the_six(
        self, status: int, error: type[ConnectorError]
    ) -> None:
        """Any call that meets a status raises the error that belongs to it."""

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(status, headers={"retry-after": "7"}, text="no")

        for name, outcome in self.outcomes(answer).items():
            if status in NOT_KNOWN_HERE and self._is_an_answer(name, outcome):
                continue
            assert type(outcome) is error, f"{name}: {outcome!r}"
            if isinstance(outcome, RateLimited):
                assert outcome.retry_after == RETRY_AFTER_SECONDS, name

    def test_a_wire_that_breaks_before_the_request_is_transient(self) -> None:
        """Nothing was sent: the repeat need not look."""

        def answer(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectTimeout("slow", request=request)

        for name, outcome in self.outcomes(answer).items():
            assert type(outcome) is Transient, f"{name}: {outcome!r}"

    @pytest.mark.parametrize("broken", [httpx.ReadTimeout, httpx.RemoteProtocolError])
    def test_silence_after_the_request_is_an_unknown_outcome(
        self, broken: type[httpx.TransportError]
    ) -> None:
        """It may have happened: the repeat looks first."""

        def answer(_: httpx.Request) -> httpx.Response:
            raise broken("silence")

        for name, outcome in self.outcomes(answer).items():
            assert type(outcome) is Unknown, f"{name}: {outcome!r}"

    def test_a_page_of_a_proxy_is_never_an_answer(self) -> None:
        """Status 200 with HTML raises one of the six, not an error of our own."""

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, text="<html>maintenance</html>")

        for name, outcome in self.outcomes(answer).items():
            assert isinstance(outcome, ConnectorError), f"{name}: {outcome!r}"

    def test_errors_are_short_and_tell_no_secret(self) -> None:
        """Even a remote that echoes our headers and query strings cannot make us log them."""

        def answer(request: httpx.Request) -> httpx.Response:
            echo = {**request.headers, "url": f"{request.url}?token=in-the-query"}
            return httpx.Response(422, text=json.dumps(echo) + "x" * 1000)

        for name, outcome in self.outcomes(answer).items():
            told = str(outcome)
            assert len(told) <= ERROR_TEXT_CHARS_MAX, name
            assert "in-the-query" not in told, name
            assert not [secret for secret in self._secrets() if secret in told], name

    def test_secrets_do_not_show(self) -> None:
        """Settings and what is built of them can be logged."""
        settings = self.connector.settings_model.model_validate(dict(self.settings))
        built = self.make(lambda _: httpx.Response(200))
        shown = f"{settings!r} {settings} {self.connector.remote(settings)!r} {built!r}"
        assert not [secret for secret in self._secrets() if secret in shown]
        for name, each in self.connector.settings_model.model_fields.items():
            if re.search(r"(secret|token|password|_key)$", name):
                assert each.annotation in (SecretStr, SecretStr | None), f"{name}: SecretStr"

    def test_an_unsigned_webhook_is_refused(self) -> None:
        """Nothing unsigned comes in, and nothing that cannot be read stops the others."""
        connector = self.make(lambda _: httpx.Response(200))
        if isinstance(connector, ReceiveWebhooks):
            for headers in ({}, {"x-signature": "é"}):
                with pytest.raises(AuthFailed):
                    connector.verify(headers, b"{}", NOW)
            for body in (b"{}", b"[]", b"not json", b"\xff", b'{"data": 1, "order": 2}'):
                assert not connector.read("a topic that nobody knows", body)
                if isinstance(connector, SendNotice):
                    assert not connector.receipts("a topic that nobody knows", body)

    def test_an_empty_page_is_the_end_for_now(self) -> None:
        """No orders: no items, no more, and a cursor that is taken again."""
        if self.empty_page is None:
            return

        async def play(connector: Any) -> None:
            cursor = ""
            for _ in range(2):
                page = await connector.pull_orders(cursor)
                assert (page.items, page.more) == ((), False)
                cursor = page.cursor
            await connector.api.aclose()

        _run(play(self.make(lambda _: httpx.Response(200, json=self.empty_page))))

    def test_a_level_without_references_harms_only_itself(self) -> None:
        """A listing that was never bound is NotFound in its place; nothing is raised."""
        connector: Any = self.make(lambda _: httpx.Response(200, json={}))
        if isinstance(connector, PushStock):
            level = StockLevel(listing="L1", sku="A-1", available=3, remote={})
            (result,) = _run(connector.push_stock([level]))
            assert result.listing == "L1"
            assert isinstance(result.error, NotFound)
            assert list(_run(connector.push_stock([]))) == []

    def test_it_has_a_plain_key_and_can_do_something(self) -> None:
        """The key stands in URLs; a connector without a capability is a mistake."""
        assert re.fullmatch(r"[a-z][a-z0-9_]*", self.connector.key)
        assert capabilities(self.connector)

    def _is_an_answer(self, name: str, outcome: Any) -> bool:
        """A manufacturer that does not know a serial has answered: it is UNKNOWN."""
        if not issubclass(self.connector, LookupWarranty):
            return False
        if name == "lookup_warranty":
            (warranty,) = outcome
            return isinstance(warranty, Warranty) and warranty.status is WarrantyStatus.UNKNOWN
        return name == "check" and outcome is None

    def _secrets(self) -> list[str]:
        settings = self.connector.settings_model.model_validate(dict(self.settings))
        values = (getattr(settings, name) for name in type(settings).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


async def _outcome(call: Call) -> Any:
    try:
        result = await call()
    except ConnectorError as error:
        return error
    # The failure of one level is told in its place.
    if isinstance(result, list) and len(result) == 1 and isinstance(result[0], PushedLevel):
        return result[0].error or result
    return result


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)
