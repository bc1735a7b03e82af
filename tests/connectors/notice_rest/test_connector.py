"""The connector that carries messages, against its simulator over a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import AuthFailed, Rejected, Unknown
from connectors.notice_rest.connector import NoticeRest
from connectors.notice_rest.simulator import NoticeSimulator
from connectors.registry import connect
from connectors.testing.serving import serve
from connectors.testing.simulator import Fault, Webhook
from hub.vocabulary import Contact, Notice, NoticeOutcome

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NOTICE = Notice(
    reference="notice-1",
    contact=Contact(name="Ann", email="ann@example.org", language="de"),
    subject="Recall R-1",
    text="Stop using it.",
)
CaseFunction = Callable[[NoticeSimulator, NoticeRest], Awaitable[None]]


def run(scenario: CaseFunction) -> None:
    async def reported() -> None:
        simulator = NoticeSimulator(clock=lambda: NOW)
        async with serve(simulator.app) as url:
            connector: Any = connect("notice_rest", simulator.settings(url))
            await scenario(simulator, connector)
            await connector.api.aclose()

    asyncio.run(reported())


def delivered(
    simulator: NoticeSimulator, what: str = "message.delivered"
) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body of one webhook."""
    body = json.dumps(
        {"type": what, "timestamp": NOW.isoformat(), "data": {"id": "msg_1", "detail": "read"}}
    ).encode()
    return simulator.sign(Webhook("http://hub.test", what, "evt_1", body)), body


def test_a_message_arrives_once_even_when_the_answer_gets_lost() -> None:
    async def scenario(simulator: NoticeSimulator, connector: NoticeRest) -> None:
        await connector.check()
        simulator.fail_next(Fault.LOST_ANSWER, containing="POST")
        message = await connector.send_notice(NOTICE)
        assert await connector.send_notice(NOTICE) == message
        assert list(simulator.messages) == [message]
        said = simulator.messages[message]
        assert said["to"] == {"name": "Ann", "email": "ann@example.org", "phone": None}
        assert (said["reference"], said["language"]) == ("notice-1", "de")

    run(scenario)


def test_who_can_not_be_reached_is_told_before_anything_is_sent() -> None:
    async def scenario(simulator: NoticeSimulator, connector: NoticeRest) -> None:
        nobody = Notice(reference="n", contact=Contact(name="Ann"), subject="s", text="t")
        with pytest.raises(Rejected):
            await connector.send_notice(nobody)
        assert simulator.calls == []

    run(scenario)


def test_what_became_of_a_message_is_read_from_a_signed_webhook() -> None:
    async def scenario(simulator: NoticeSimulator, connector: NoticeRest) -> None:
        headers, body = delivered(simulator)
        delivery = connector.verify(headers, body, NOW)
        assert (delivery.id, delivery.topic) == ("evt_1", "message.delivered")
        (receipt,) = connector.receipts(delivery.topic, body)
        assert receipt.message == "msg_1"
        assert (receipt.outcome, receipt.at, receipt.detail) == (
            NoticeOutcome.DELIVERED,
            NOW,
            "read",
        )
        assert connector.receipts("message.opened", body) == ()
        assert connector.read(delivery.topic, body) == ()

    run(scenario)


@pytest.mark.parametrize(
    ("spoil", "received_at"),
    [
        (lambda headers: headers | {"webhook-id": "evt_2"}, NOW),
        (lambda headers: headers | {"webhook-timestamp": "1"}, NOW),
        (lambda headers: headers | {"webhook-signature": "v1,AAAA"}, NOW),
        (lambda headers: headers | {"webhook-signature": ""}, NOW),
        (lambda headers: headers, NOW + timedelta(minutes=6)),
        (lambda headers: headers, NOW - timedelta(minutes=6)),
    ],
)
def test_a_webhook_that_is_not_signed_or_not_of_now_is_refused(
    spoil: Callable[[dict[str, str]], dict[str, str]], received_at: datetime
) -> None:
    async def scenario(simulator: NoticeSimulator, connector: NoticeRest) -> None:
        headers, body = delivered(simulator)
        with pytest.raises(AuthFailed):
            connector.verify(spoil(dict(headers)), body, received_at)
        rotated = dict(headers) | {
            "webhook-signature": f"v1,AAAA {headers['webhook-signature']} v2,other"
        }
        assert connector.verify(rotated, body, NOW).id == "evt_1"

    run(scenario)


def test_an_answer_without_an_id_is_an_unknown_outcome() -> None:
    async def scenario(simulator: NoticeSimulator, connector: NoticeRest) -> None:
        async def nothing(*_: Any, **__: Any) -> Any:
            class Answer:
                content = b'{"id": null}'

            return Answer()

        connector.api.request = nothing
        with pytest.raises(Unknown):
            await connector.send_notice(NOTICE)

    run(scenario)


def test_a_person_shows_in_no_text() -> None:
    shown = f"{NOTICE!r} {NOTICE} {NOTICE.contact!r}"
    assert "ann@example.org" not in shown
    assert "Ann" not in shown
