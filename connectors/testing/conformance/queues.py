"""Cases about queues: a notice comes until it is acknowledged, whatever it says."""

import json

from connectors.contract import PullOrders, QueueMessage, ReceiveQueue
from connectors.testing.case import ConformanceFailure, case, require, require_equal, require_one
from connectors.testing.harness import Harness

NOTICES = 23  # more than a queue gives at once
ROUNDS_MAX = 100
NO_NOTICES = (
    "",
    "not a notice",
    "\N{LATIN SMALL LETTER E WITH ACUTE}" * 40,
    "{",
    "null",
    "[1, 2]",
    json.dumps({"detail": {"NotificationMetadata": 7}}),
    json.dumps({"NotificationType": ["ORDER_CHANGE"], "Payload": "none"}),
)


async def _taken(harness: Harness) -> list[QueueMessage]:
    """Take what is waiting, until there is nothing."""
    found = list[QueueMessage]()
    for _ in range(ROUNDS_MAX):
        some = await harness.connector.receive()
        if not some:
            return found
        found += some
    require(False, f"after {ROUNDS_MAX} calls there was still something waiting")
    return found


def _ids(messages: list[QueueMessage]) -> list[str]:
    return sorted({each.call.id for each in messages})


def _named(harness: Harness, topic: str, body: bytes) -> list[str]:
    """Return the orders that a message names; to read it must not fail, whatever it is."""
    try:
        return [hint.order_ref for hint in harness.connector.read(topic, body)]
    except Exception as error:
        raise ConformanceFailure(f"{body[:80]!r} under the topic {topic!r}: {error!r}") from error


@case(ReceiveQueue, PullOrders)
async def a_message_returns_until_acknowledged(harness: Harness) -> None:
    """A notice that nobody acknowledged comes again as the same; one that was, does not."""
    harness.driver.list_article("CAM", NOTICES)
    refs = [harness.driver.place_order("CAM", 1) for _ in range(NOTICES)]
    first = await _taken(harness)
    require_equal(len(_ids(first)), NOTICES, "how many notices have an id of their own")
    outcome = [ref for each in first for ref in _named(harness, each.call.topic, each.body)]
    require_equal(sorted(set(outcome)), sorted(refs), "the orders that they name")
    require_equal(await _taken(harness), [], "what is taken again at once")
    harness.driver.expire_visibility()
    again = await _taken(harness)
    require_equal(_ids(again), _ids(first), "what comes again")
    kept, done = again[0].call.id, [m for m in again if m.call.id != again[0].call.id]
    await harness.connector.acknowledge([each.receipt for each in done])
    await harness.connector.acknowledge([each.receipt for each in done])  # safe to repeat
    require_equal(
        harness.driver.queued_messages(), 1, "what the queue holds after the rest was acknowledged"
    )
    harness.driver.expire_visibility()
    last = require_one(await _taken(harness), "what comes after the rest was acknowledged")
    require_equal(last.call.id, kept, "the one that was not acknowledged")
    await harness.connector.acknowledge([last.receipt])
    harness.driver.expire_visibility()
    require_equal(await _taken(harness), [], "what comes after all was acknowledged")


@case(ReceiveQueue, PullOrders)
async def an_unreadable_message_is_skipped(harness: Harness) -> None:
    """What is no notice is taken, names no order, can be acknowledged, and stops no other."""
    harness.driver.list_article("CAM", 9)
    for body in NO_NOTICES:
        harness.driver.write_to_queue(body)
    ref = harness.driver.place_order("CAM", 1)
    found = await _taken(harness)
    require_equal(len(found), len(NO_NOTICES) + 1, "how many messages are taken")
    require_equal(len(_ids(found)), len(found), "how many have an id of their own")
    outcome = [named for each in found for named in _named(harness, each.call.topic, each.body)]
    require_equal(outcome, [ref], "the orders that they name")
    for message in found:  # a body under the topic of another
        for other in found:
            _named(harness, other.call.topic, message.body)
    await harness.connector.acknowledge([each.receipt for each in found])
    require_equal(
        harness.driver.queued_messages(), 0, "what the queue holds after all was acknowledged"
    )


CASES = (a_message_returns_until_acknowledged, an_unreadable_message_is_skipped)
