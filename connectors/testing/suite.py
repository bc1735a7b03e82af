"""Conformance suite for pytest: inherit it, and the promises of a connector are tested.

class TestEtsy(ConnectorSuite):
    connector = Etsy
    driver = EtsyDriver
    settings = {"url": "https://shop.test/", "api_key": "not-a-real-key"}
    level_remote = {"listing_id": "1"}
    empty_page = {"results": []}

It simulates the transport: every status, a connection that breaks before and after the request, an
unsigned webhook. With a `driver` every conformance case runs against the connector's simulator;
cases that do not concern the connector are skipped with the reason. What a channel's data means is
for your own tests to show.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
import pytest

from connectors.contract import Connector
from connectors.errors import ConnectorError
from connectors.testing import transport_cases
from connectors.testing.case import Case, NotApplicable, names
from connectors.testing.conformance import SIMULATOR_CASES
from connectors.testing.harness import run_case
from connectors.testing.simulator_driver import SimulatorDriver
from connectors.testing.transport_cases import STATUS_ERRORS, Answer, ConnectorUnderTest


class ConnectorSuite:
    """Tests of every connector. Set `connector` and `settings`, and what else applies."""

    connector: ClassVar[type[Connector[Any]]]
    settings: ClassVar[Mapping[str, Any]]
    driver: ClassVar[type[SimulatorDriver] | None] = None
    """What moves the connector's simulator; without it only the wire is tested."""
    level_remote: ClassVar[Mapping[str, str]] = {}
    """The references of one listing, as `snapshot_stock` yields them."""
    order_ref: ClassVar[str] = "1"
    empty_page: ClassVar[Any] = None
    """The JSON with which the remote answers when there are no orders and no returns."""

    @property
    def under_test(self) -> ConnectorUnderTest:
        """Return the connector and its settings for the transport tests."""
        return ConnectorUnderTest(self.connector, self.settings, self.level_remote, self.order_ref)

    def make(self, answer: Answer) -> Connector[Any]:
        """Return the connector on a fake transport, without rate limits and quick retries."""
        return self.under_test.make(answer)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize with every case, where there is a driver to run it with."""
        if "case" in metafunc.fixturenames:
            cases = SIMULATOR_CASES if self.driver else ()
            metafunc.parametrize("case", cases, ids=names(cases))

    def test_case(self, case: Case) -> None:
        """Each case that concerns the connector passes against its simulator."""
        assert self.driver is not None
        if why := case.not_applicable(self.connector):
            pytest.skip(f"not applicable: {why}")
        try:
            run_case(case, self.connector, self.driver)
        except NotApplicable as reason:
            pytest.skip(f"not applicable: {reason}")

    @pytest.mark.parametrize(("status", "error"), STATUS_ERRORS)
    def test_every_status_becomes_one_of_the_six(
        self, status: int, error: type[ConnectorError]
    ) -> None:
        """Any call that meets a status raises the error that belongs to it."""
        asyncio.run(transport_cases.status_becomes(self.under_test, status, error))

    def test_a_wire_that_breaks_before_the_request_is_transient(self) -> None:
        """Nothing was sent: the repeat need not look."""
        asyncio.run(transport_cases.never_sent(self.under_test))

    @pytest.mark.parametrize("broken", [httpx.ReadTimeout, httpx.RemoteProtocolError])
    def test_silence_after_the_request_is_an_unknown_outcome(
        self, broken: type[httpx.TransportError]
    ) -> None:
        """It may have happened: the repeat looks first."""
        asyncio.run(transport_cases.silence(self.under_test, broken))

    def test_a_page_of_a_proxy_is_never_an_answer(self) -> None:
        """Status 200 with HTML raises one of the six, not an error of our own."""
        asyncio.run(transport_cases.page_of_a_proxy(self.under_test))

    def test_a_bot_wall_is_tried_later(self) -> None:
        """A page for browsers with 401 or 403 is Transient: no credentials were refused."""
        asyncio.run(transport_cases.walls(self.under_test))

    def test_redirects_name_their_target(self) -> None:
        """A redirect to another host is Moved and is not followed."""
        asyncio.run(transport_cases.redirects(self.under_test))

    def test_no_content_is_no_bug(self) -> None:
        """Status 204 is an empty list, nothing, or one of the six."""
        asyncio.run(transport_cases.no_content(self.under_test))

    def test_errors_are_short_and_tell_no_secret(self) -> None:
        """Even a remote that echoes our headers and query strings cannot make us log them."""
        asyncio.run(transport_cases.errors_contain_no_secret(self.under_test))

    def test_secrets_do_not_show(self) -> None:
        """Settings and what is built of them can be logged."""
        asyncio.run(transport_cases.secrets_do_not_show(self.under_test))

    def test_an_unsigned_webhook_is_refused(self) -> None:
        """Nothing unsigned comes in, and nothing that cannot be read stops the others."""
        asyncio.run(transport_cases.unsigned_webhooks(self.under_test))

    def test_an_empty_page_is_the_end_for_now(self) -> None:
        """No orders and no returns: no items, no more, and a cursor that is taken again."""
        if self.empty_page is not None:
            asyncio.run(transport_cases.empty_answers(self.under_test, self.empty_page))

    def test_a_level_without_references_harms_only_itself(self) -> None:
        """A listing that was never bound is NotFound in its place; nothing is raised."""
        asyncio.run(transport_cases.levels_without_references(self.under_test))

    def test_it_has_a_plain_key_and_can_do_something(self) -> None:
        """The key stands in URLs; a connector without a capability is a mistake."""
        asyncio.run(transport_cases.plain_key(self.under_test))
