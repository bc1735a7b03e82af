"""Messages about the hub's own service, which are no events of units.

They go to the endpoints that name their topic or all topics and are not limited to a product, to
sites or to a client. Delivery and attempts are those of all messages.
"""

from collections.abc import Mapping
from datetime import datetime

from hub.clock import micros, new_id
from hub.storage.rows import WebhookEndpointRow
from hub.storage.sql import Transaction
from hub.webhooks import Filter, messages, payload
from hub.webhooks.payload import ServiceTopic


def announce(
    tx: Transaction,
    topic: ServiceTopic,
    subject: str,
    data: Mapping[str, str | float | None],
    now: datetime,
) -> int:
    """Queue a message for each endpoint that receives the topic; return their number.

    An endpoint with as many unsent messages as one may have receives none.
    """
    rows = tx.rows_as(
        WebhookEndpointRow,
        "SELECT * FROM webhook_endpoint WHERE state <> 'deleted' AND client_id IS NULL "
        "AND product_id IS NULL AND site_ids IS NULL",
    )
    wanted = [
        row
        for row in rows
        if not Filter.of(row).topics or topic in Filter.of(row).topics
        if messages.waiting(tx, row["id"]) < messages.WAITING_MAX
    ]
    event_id, body = new_id(), payload.of_service(topic, now, data)
    tx.run_many(
        "INSERT INTO webhook_message(id, endpoint_id, event_id, subject, topic, body, due_at, "
        "created_at) VALUES(:id, :endpoint, :event, :subject, :topic, :body, :now, :now)",
        [
            {
                "id": new_id(),
                "endpoint": row["id"],
                "event": event_id,
                "subject": subject,
                "topic": str(topic),
                "body": body,
                "now": micros(now),
            }
            for row in wanted
        ],
    )
    if wanted:
        tx.wake("webhooks")
    return len(wanted)
