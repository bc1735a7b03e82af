"""Cases about the wire: each status its error, unknown outcomes, no secret in any message."""

import httpx

from connectors.contract import PullOrders, PushStock, ReceiveWebhooks
from connectors.testing import transport_cases
from connectors.testing.case import case
from connectors.testing.harness import SIMULATOR_URL, Harness
from connectors.testing.transport_cases import ConnectorUnderTest


def _under_test(harness: Harness) -> ConnectorUnderTest:
    remote, ref = {}, "1"
    if isinstance(harness.connector, PushStock | PullOrders):
        remote = harness.driver.list_article("CAM", 9)
    if isinstance(harness.connector, PullOrders):
        ref = harness.driver.place_order("CAM", 1)
    return ConnectorUnderTest(
        type(harness.connector), harness.driver.settings(SIMULATOR_URL), remote, ref
    )


@case()
async def plain_key(harness: Harness) -> None:
    """Its key can stand in an address, and it can do something."""
    await transport_cases.plain_key(_under_test(harness))


@case()
async def secrets_do_not_show(harness: Harness) -> None:
    """Settings and what is built of them can be logged."""
    await transport_cases.secrets_do_not_show(_under_test(harness))


@case()
async def errors_contain_no_secret(harness: Harness) -> None:
    """Messages are short and repeat neither credentials nor query strings."""
    await transport_cases.errors_contain_no_secret(_under_test(harness))


@case()
async def every_status_maps_to_an_error(harness: Harness) -> None:
    """Any call that meets a status raises the error that belongs to it."""
    under_test = _under_test(harness)
    for status, error in transport_cases.STATUS_ERRORS:
        await transport_cases.status_becomes(under_test, status, error)


@case()
async def never_sent_is_transient(harness: Harness) -> None:
    """A wire that breaks before the request is Transient."""
    await transport_cases.never_sent(_under_test(harness))


@case()
async def silence_is_unknown(harness: Harness) -> None:
    """Silence after the request is Unknown, of every call."""
    under_test = _under_test(harness)
    for broken in (httpx.ReadTimeout, httpx.RemoteProtocolError):
        await transport_cases.silence(under_test, broken)


@case()
async def an_html_page_is_an_error(harness: Harness) -> None:
    """Status 200 with HTML raises one of the six."""
    await transport_cases.page_of_a_proxy(_under_test(harness))


@case()
async def a_bot_wall_is_tried_later(harness: Harness) -> None:
    """A bot wall's 403 with HTML is Transient: only the API itself refuses credentials."""
    await transport_cases.walls(_under_test(harness))


@case()
async def redirects_name_their_target(harness: Harness) -> None:
    """A redirect to another host is Moved, names its target, and gets no credentials."""
    await transport_cases.redirects(_under_test(harness))


@case()
async def no_content_is_no_bug(harness: Harness) -> None:
    """Status 204 is an empty list, nothing, or one of the six errors."""
    await transport_cases.no_content(_under_test(harness))


@case(ReceiveWebhooks)
async def unsigned_webhooks_are_refused(harness: Harness) -> None:
    """Nothing unsigned comes in, and nothing that cannot be read is an error."""
    await transport_cases.unsigned_webhooks(_under_test(harness))


@case(PushStock)
async def a_level_without_references(harness: Harness) -> None:
    """A listing that was never bound is NotFound in its place."""
    await transport_cases.levels_without_references(_under_test(harness))


CASES = (
    plain_key,
    secrets_do_not_show,
    errors_contain_no_secret,
    every_status_maps_to_an_error,
    never_sent_is_transient,
    silence_is_unknown,
    an_html_page_is_an_error,
    a_bot_wall_is_tried_later,
    redirects_name_their_target,
    no_content_is_no_bug,
    unsigned_webhooks_are_refused,
    a_level_without_references,
)
