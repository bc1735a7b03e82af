"""Payload of a message: its type, its time, and the unit after the event.

All of it derives from the event, which never changes: a message that is sent or created again has
the same payload.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from hub.clock import moment
from hub.history.event_feed import FeedEvent
from hub.lifecycle import Action

TEST = "webhook.test"


class ServiceTopic(StrEnum):
    """Topic of a message about the hub's own service."""

    BROKEN = "service_level.broken"  # a promise is not kept any more
    KEPT = "service_level.kept"  # a broken promise is kept again


TOPICS = (*(f"unit.{action}" for action in Action), *ServiceTopic)


def topic_of(event: FeedEvent) -> str:
    """Return the type of the message about an event."""
    return f"unit.{event['action']}"


def of_event(event: FeedEvent) -> str:
    """Return the JSON of the message about an event of the feed."""
    document = event["document_type"] and {
        "type": event["document_type"],
        "reference": event["document_ref"],
    }
    data = {
        "eventId": event["id"],
        "action": event["action"],
        "bizStep": event["biz_step"],
        "disposition": event["disposition"],
        "occurredAt": _instant(moment(event["occurred_at"])),
        "recordedAt": _instant(moment(event["recorded_at"])),
        "from": event["from_code"],
        "to": event["to_code"],
        "reason": event["reason"],
        "document": document,
        "corrects": event["corrects"],
        "unit": {
            "id": event["unit_id"],
            "serial": event["serial"],
            "sku": event["sku"],
            "gtin": event["gtin"],
            "lot": event["lot"],
            "version": event["version"],
            "status": event["status"],
            "previousStatus": event["status_from"],
        },
    }
    return _message(topic_of(event), moment(event["occurred_at"]), data)


def of_test(now: datetime, endpoint_id: str) -> str:
    """Return the JSON of the message that tests an endpoint."""
    return _message(TEST, now, {"endpointId": endpoint_id})


def of_service(topic: ServiceTopic, now: datetime, data: Mapping[str, str | float | None]) -> str:
    """Return the JSON of a message about the hub's own service."""
    return _message(topic, now, dict(data))


def _message(topic: str, at: datetime, data: dict[str, Any]) -> str:
    return orjson.dumps({"type": topic, "timestamp": _instant(at), "data": data}).decode()


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
