"""Delivery of one fact: read what it is about at the moment of sending, and call the connector."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from connectors import (
    CancelOrders,
    Connector,
    ConnectorError,
    MessageBuyers,
    PushFulfillment,
    ReadContacts,
    RefundOrders,
    RegisterWarranty,
    SendNotice,
)
from hub.after_sales import warranty_answers
from hub.clock import moment
from hub.orders import TOPIC as FULFILLMENT
from hub.orders import parcels
from hub.orders.oversell import TOPIC as CANCELLATION
from hub.orders.oversell import still_wanted
from hub.recalls import buyers, notices, people
from hub.returns import refund_requests
from hub.storage.rows import ChannelRow, OutboxRow
from hub.sync import mappings, registrations
from hub.vocabulary import (
    Cancellation,
    Contact,
    Fulfillment,
    FulfillmentLine,
    Notice,
    Parcel,
    Registration,
    Warranty,
)
from jobs.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ShownContact:
    """How a channel lets a buyer be reached, if it shows that; it shows in no text."""

    contact: Contact | None = field(repr=False)

    def __str__(self) -> str:
        return "no contact is shown" if self.contact is None else "a contact was read"


Answer = str | Warranty | ShownContact


async def deliver(
    runtime: Runtime, channel: ChannelRow, connector: Connector[Any], fact: OutboxRow
) -> Answer:
    """Send one fact to its channel; return what the channel answers.

    Raises what the connector raises, and TypeError for a fact that the connector cannot take.
    """
    payload = orjson.loads(fact["payload"])
    if fact["topic"] == FULFILLMENT and isinstance(connector, PushFulfillment):
        others: tuple[Parcel, ...] = ()
        if connector.reports_whole_orders:
            others = await runtime.database.read(
                lambda tx: parcels.others(tx, fact["subject"], payload["reference"])
            )
        return await connector.push_fulfillment(_fulfillment(channel, payload, others))
    if fact["topic"] == CANCELLATION and isinstance(connector, CancelOrders):
        if not await runtime.database.read(lambda tx: still_wanted(tx, fact["subject"])):
            return "no longer needed: the order can be served, or is cancelled"
        return await connector.cancel_order(Cancellation(**payload))
    if fact["topic"] == refund_requests.TOPIC and isinstance(connector, RefundOrders):
        return await _refund(runtime, connector, fact)
    if fact["topic"] == registrations.TOPIC and isinstance(connector, RegisterWarranty):
        asked = await runtime.database.read(
            lambda tx: warranty_answers.question(tx, payload["unit"])
        )
        assert asked is not None  # the channel was chosen by the unit's manufacturer
        return await connector.register_warranty(
            Registration(
                reference=fact["id"],
                serial=asked[1].serial,
                product=asked[1].product,
                sold_on=moment(payload["sold_at"]).date(),
            )
        )
    if fact["topic"] == notices.TOPIC and isinstance(connector, SendNotice):
        return await _send_notice(runtime, connector, payload["notice"])
    if fact["topic"] == notices.TOPIC and isinstance(connector, MessageBuyers):
        message = await runtime.database.read(
            lambda tx: notices.carried_message(tx, payload["notice"])
        )
        return "" if message is None else await connector.message_buyer(message)
    if fact["topic"] == buyers.CONTACT and isinstance(connector, ReadContacts):
        return ShownContact(await connector.read_contact(payload["order_ref"]))
    raise TypeError(f"{channel['connector']} can not be sent a {fact['topic']}")


def refund_of(fact: OutboxRow) -> str:
    """Return the id of the refund request that a fact is about."""
    return str(orjson.loads(fact["payload"])["refund"])


async def _refund(runtime: Runtime, connector: RefundOrders, fact: OutboxRow) -> str:
    """Ask for a refund, unless it was paid meanwhile."""
    asked = await runtime.database.write(lambda tx: refund_requests.to_send(tx, refund_of(fact)))
    return "paid already" if asked is None else await connector.refund_order(asked)


async def _send_notice(runtime: Runtime, connector: SendNotice, notice_id: str) -> str:
    """Send one message; the contact of the person is unsealed here and stored nowhere."""
    draft = await runtime.database.read(lambda tx: notices.message(tx, notice_id))
    if draft is None:
        return ""  # the person was erased, or was notified meanwhile
    contact = people.contact_of(runtime.connections.unseal(draft.sealed))
    notice = Notice(
        reference=draft.reference, contact=contact, subject=draft.subject, text=draft.text
    )
    try:
        return await connector.send_notice(notice)
    except ConnectorError as error:
        # The remote's text may repeat the address, and it ends in logs and cases.
        error.args = (people.redacted(str(error), contact), *error.args[1:])
        raise


def _fulfillment(
    channel: ChannelRow, payload: dict[str, Any], others: Sequence[Parcel]
) -> Fulfillment:
    return Fulfillment(
        reference=payload["reference"],
        order_ref=payload["order_ref"],
        lines=tuple(
            FulfillmentLine(order_line_ref=ref, serials=tuple(serials))
            for ref, serials in payload["lines"].items()
        ),
        shipped_at=moment(payload["shipped_at"]),
        carrier=mappings.carrier(channel, payload["carrier"]),
        tracking=payload["tracking"],
        other_line_refs=tuple(payload.get("other_lines", ())),
        other_parcels=tuple(
            replace(each, carrier=mappings.carrier(channel, each.carrier)) for each in others
        ),
    )
