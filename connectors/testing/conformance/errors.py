"""Rows about the wire: each status its error, unknown outcomes, no secret in any message."""

import httpx

from connectors.contract import PullOrders, PushStock, ReceiveWebhooks
from connectors.testing import wire_cases
from connectors.testing.case import row
from connectors.testing.harness import TWIN_URL, Stage
from connectors.testing.wire_cases import Specimen


def _specimen(stage: Stage) -> Specimen:
    remote, ref = {}, "1"
    if isinstance(stage.connector, PushStock | PullOrders):
        remote = stage.driver.list_article("CAM", 9)
    if isinstance(stage.connector, PullOrders):
        ref = stage.driver.place_order("CAM", 1)
    return Specimen(type(stage.connector), stage.driver.settings(TWIN_URL), remote, ref)


@row()
async def plain_key(stage: Stage) -> None:
    """Its key can stand in an address, and it can do something."""
    await wire_cases.plain_key(_specimen(stage))


@row()
async def secrets_do_not_show(stage: Stage) -> None:
    """Settings and what is built of them can be logged."""
    await wire_cases.secrets_do_not_show(_specimen(stage))


@row()
async def errors_tell_no_secret(stage: Stage) -> None:
    """Messages are short and repeat neither credentials nor query strings."""
    await wire_cases.errors_tell_no_secret(_specimen(stage))


@row()
async def every_status_is_one_of_the_six(stage: Stage) -> None:
    """Any call that meets a status raises the error that belongs to it."""
    specimen = _specimen(stage)
    for status, error in wire_cases.ANSWERS:
        await wire_cases.status_becomes(specimen, status, error)


@row()
async def never_sent_is_transient(stage: Stage) -> None:
    """A wire that breaks before the request is Transient."""
    await wire_cases.never_sent(_specimen(stage))


@row()
async def silence_is_unknown(stage: Stage) -> None:
    """Silence after the request is Unknown, of every call."""
    specimen = _specimen(stage)
    for broken in (httpx.ReadTimeout, httpx.RemoteProtocolError):
        await wire_cases.silence(specimen, broken)


@row()
async def a_proxys_page_is_no_answer(stage: Stage) -> None:
    """Status 200 with HTML raises one of the six."""
    await wire_cases.page_of_a_proxy(_specimen(stage))


@row(ReceiveWebhooks)
async def unsigned_webhooks_are_refused(stage: Stage) -> None:
    """Nothing unsigned comes in, and nothing that cannot be read is an error."""
    await wire_cases.unsigned_webhooks(_specimen(stage))


@row(PushStock)
async def a_level_without_references(stage: Stage) -> None:
    """A listing that was never bound is NotFound in its place."""
    await wire_cases.loose_levels(_specimen(stage))


ROWS = (
    plain_key,
    secrets_do_not_show,
    errors_tell_no_secret,
    every_status_is_one_of_the_six,
    never_sent_is_transient,
    silence_is_unknown,
    a_proxys_page_is_no_answer,
    unsigned_webhooks_are_refused,
    a_level_without_references,
)
