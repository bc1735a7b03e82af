"""Cases about webhooks: signed ones come in, spoiled ones do not, and a replay is known as one."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from connectors.contract import PullOrders, ReceiveWebhooks, SendNotice
from connectors.errors import AuthFailed
from connectors.privacy import PrivacyKind, ReceivePrivacyRequests
from connectors.testing.case import NotApplicable, case, require, require_equal, require_raises
from connectors.testing.harness import Harness
from connectors.testing.simulator import Webhook

_ROTATED = str.maketrans("0123456789", "1234567890")
_SIGNATURE = re.compile(r"signature|hmac", re.IGNORECASE)


async def _delivered(harness: Harness) -> tuple[str, Webhook, dict[str, str]]:
    """Let an event happen; returns what it is about, the delivery, and its headers."""
    if isinstance(harness.connector, SendNotice):
        ref = "msg_1"
    else:
        harness.driver.list_article("CAM", 9)
        ref = harness.driver.place_order("CAM", 1)
    sent: Webhook = harness.driver.webhook(ref)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    await harness.connector.prepare(headers)
    return ref, sent, headers


def _another(signature: str) -> str:
    """Return a signature of the same shape; one in a thousand has no digit that could be turned."""
    turned = signature.translate(_ROTATED)
    return turned if turned != signature else signature.swapcase()


@case(ReceiveWebhooks)
async def a_signed_webhook_is_read(harness: Harness) -> None:
    """A delivery that the channel signed is accepted and names what it is about."""
    ref, sent, headers = await _delivered(harness)
    delivery = harness.connector.verify(headers, sent.body, harness.clock.now)
    require(delivery.id, "the delivery has no id")
    sells = isinstance(harness.connector, PullOrders)
    if sells:
        hints = harness.connector.read(delivery.topic, sent.body)
        require(ref in {hint.order_ref for hint in hints}, f"it names {hints}, not {ref}")
    if isinstance(harness.connector, SendNotice):
        outcome = harness.connector.receipts(delivery.topic, sent.body)
        require_equal([each.message for each in outcome], [ref], "the messages that it tells of")


@case(ReceiveWebhooks, PullOrders)
async def every_topic_names_its_order(harness: Harness) -> None:
    """Each further topic and scheme of signature is accepted, names the order, and is guarded."""
    ref, _, _ = await _delivered(harness)
    others: Sequence[Webhook] = harness.driver.other_webhooks(ref)
    if not others:
        raise NotApplicable("its driver knows one topic and one scheme only")
    ids = set()
    for sent in others:
        headers = {name.lower(): value for name, value in sent.headers.items()}
        await harness.connector.prepare(headers)
        delivery = harness.connector.verify(headers, sent.body, harness.clock.now)
        ids.add(delivery.id)
        hints = harness.connector.read(delivery.topic, sent.body)
        require_equal({hint.order_ref for hint in hints}, {ref}, f"the orders of {sent.topic}")
        with require_raises(AuthFailed, f"{sent.topic} with another body"):
            harness.connector.verify(headers, sent.body + b" ", harness.clock.now)
        for name in (each for each in headers if _SIGNATURE.search(each)):
            given = headers | {name: _another(headers[name])}
            with require_raises(AuthFailed, f"{sent.topic} with another {name}"):
                harness.connector.verify(given, sent.body, harness.clock.now)
    require_equal(len(ids), len(others), "so many different deliveries")


@case(ReceiveWebhooks)
async def a_tampered_webhook_is_refused(harness: Harness) -> None:
    """A changed body, another signature or none is AuthFailed, in any mixture."""
    _, sent, headers = await _delivered(harness)
    signatures = [name for name in headers if _SIGNATURE.search(name)]
    require(signatures, f"no header of {sorted(headers)} is called a signature")
    spoiled: list[tuple[str, dict[str, str], bytes]] = [
        ("a longer body", headers, sent.body + b" "),
        ("another body", headers, sent.body[:-2] + b"!" + sent.body[-1:]),
        ("no body", headers, b""),
        ("no headers", {}, sent.body),
    ]
    for name in signatures:
        value = headers[name]
        for what, given in (
            ("no", ""),
            ("half a", value[: len(value) // 2]),
            ("another", _another(value)),
            ("a strange", "\N{LATIN SMALL LETTER E WITH ACUTE}" * len(value)),
        ):
            spoiled.append((f"{what} {name}", headers | {name: given}, sent.body))
        without = {each: kept for each, kept in headers.items() if each != name}
        spoiled.append((f"without {name}", without, sent.body))
    for what, given_headers, body in spoiled:
        with require_raises(AuthFailed, what):
            harness.connector.verify(given_headers, body, harness.clock.now)


@case(ReceiveWebhooks)
async def a_replayed_webhook_is_known(harness: Harness) -> None:
    """A delivery that comes again has the same id, or is refused as old; another has another."""
    ref, sent, headers = await _delivered(harness)
    verify: Any = harness.connector.verify
    first = verify(headers, sent.body, harness.clock.now)
    require_equal(verify(headers, sent.body, harness.clock.now), first, "the same delivery again")
    try:
        late = verify(headers, sent.body, harness.clock.now + timedelta(days=1))
    except AuthFailed:
        late = first
    require_equal(late, first, "the same delivery a day later")
    harness.clock.advance(1)
    other = harness.driver.webhook(ref)
    lower = {name.lower(): value for name, value in other.headers.items()}
    second = verify(lower, other.body, harness.clock.now)
    require(second.id != first.id, "two events have one delivery id: the second would be lost")


@case(ReceivePrivacyRequests)
async def privacy_requests_are_read(harness: Harness) -> None:
    """Each privacy webhook that the channel documents is understood, and no other call is one."""
    calls = harness.driver.privacy_calls
    require(calls, "the driver names no privacy_calls: the documented topics, bodies and kinds")
    for topic, body, kind in calls:
        request = harness.connector.privacy_request(topic, body)
        require(request is not None, f"{topic} is no privacy request: return a PrivacyRequest")
        require_equal(request.kind, kind, f"what {topic} asks for")
        if kind is not PrivacyKind.ERASE_ACCOUNT:
            found = request.customer_ref or request.identifiers
            require(found, f"{topic} names nobody: set customer_ref and identifiers")
        for odd in (b"", b"[]", b"{}", b"\xff", b'{"customer": 1, "notification": []}'):
            harness.connector.privacy_request(topic, odd)  # raises nothing
        require(harness.connector.privacy_request("orders/updated", body) is None, "any topic is")


CASES = (
    a_signed_webhook_is_read,
    every_topic_names_its_order,
    a_tampered_webhook_is_refused,
    a_replayed_webhook_is_known,
    privacy_requests_are_read,
)
