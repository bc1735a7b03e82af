"""The conformance suite under pytest: inherit it, and a connector's promises are tested for you.

class TestEtsy(ConnectorSuite):
    connector = Etsy
    driver = EtsyDriver
    settings = {"url": "https://shop.test/", "api_key": "not-a-real-key"}
    level_remote = {"listing_id": "1"}
    empty_page = {"results": []}

It plays the other side of the wire: every status, a wire that breaks before and after the request,
an unsigned webhook. With a `driver` every row of the kit is played against the connector's twin;
what does not concern the connector is skipped with the reason. What a remote means is for your own
tests to show.
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
    """What every connector promises. Set `connector` and `settings`, and what else applies."""

    connector: ClassVar[type[Connector[Any]]]
    settings: ClassVar[Mapping[str, Any]]
    driver: ClassVar[type[SimulatorDriver] | None] = None
    """What moves the connector's twin; without it only the wire is tested."""
    level_remote: ClassVar[Mapping[str, str]] = {}
    """The references of one listing, as `snapshot_stock` yields them."""
    order_ref: ClassVar[str] = "1"
    empty_page: ClassVar[Any] = None
    """The JSON with which the remote answers when there are no orders and no returns."""

    @property
    def under_test(self) -> ConnectorUnderTest:
        """What the promises of the wire are held against."""
        return ConnectorUnderTest(self.connector, self.settings, self.level_remote, self.order_ref)

    def make(self, answer: Answer) -> Connector[Any]:
        """Build the connector on a fake wire, without pace and without quick retries."""
        return self.under_test.make(answer)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Play every row, where there is a twin to play it with."""
        if "case" in metafunc.fixturenames:
            cases = SIMULATOR_CASES if self.driver else ()
            metafunc.parametrize("case", cases, ids=names(cases))

    def test_case(self, case: Case) -> None:
        """Each row that concerns the connector holds against its twin."""
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
