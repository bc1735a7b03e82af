"""Privacy requests of channels: what is stored of a customer is removed, and a person is asked.

What the hub keeps of a channel's customers by itself are the bodies of deliveries and contacts of
people. Both are erased at once; whatever else a company keeps, and the answer to a customer who
asks for their data, is a person's case.
"""

from connectors import PrivacyKind, PrivacyRequest
from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.recalls import buyers, people
from hub.storage.rows import ChannelRow
from hub.storage.sql import Transaction
from hub.sync import inbox_retention
from jobs.runtime import Runtime

DAYS_TO_ANSWER = 30  # GDPR, article 12 (3): one month; Shopify asks for the same

_ASKS = {
    PrivacyKind.DATA: "a customer asks for the data that is stored of them",
    PrivacyKind.ERASE_CUSTOMER: "a customer is to be erased",
    PrivacyKind.ERASE_ACCOUNT: "the shop left: the data of its customers is to be erased",
}


def honour(
    tx: Transaction, runtime: Runtime, channel: ChannelRow, delivery: str, request: PrivacyRequest
) -> None:
    """Erase what is asked to be erased, and open a case; identifiers are stored nowhere."""
    emptied = _erased(tx, runtime, channel, request)
    subject = request.customer_ref or delivery
    finding = Finding(
        kind=CaseKind.PRIVACY_REQUEST,
        subject=f"{request.kind}: {subject}",
        channel_id=channel["id"],
        severity=Severity.HIGH if request.kind is PrivacyKind.DATA else Severity.MEDIUM,
        summary=f"{channel['name']}: {_ASKS[request.kind]}, within {DAYS_TO_ANSWER} days.",
        details={
            "orders": list(request.order_refs),
            "deliveries_emptied": emptied,
            "days_to_answer": DAYS_TO_ANSWER,
        },
    )
    cases.report(tx, finding, runtime.clock())


def _erased(tx: Transaction, runtime: Runtime, channel: ChannelRow, request: PrivacyRequest) -> int:
    if request.kind is PrivacyKind.DATA:
        return 0
    if request.kind is PrivacyKind.ERASE_ACCOUNT:
        return inbox_retention.forget_account(tx, channel["id"])
    emptied = inbox_retention.forget_orders(tx, channel["id"], request.order_refs)
    named = [*request.identifiers, request.customer_ref]
    emptied += inbox_retention.forget_person(tx, named, channel["id"])
    context, reason = runtime.context("privacy"), f"{channel['code']} asks for it"
    asked = _known_as(channel["code"], request)
    people.forget(tx, context, asked, reason, runtime.connections.unseal)
    return emptied


def _known_as(code: str, request: PrivacyRequest) -> list[str]:
    """Return the references by which a recall may know the customer of a request."""
    guests = [f"{buyers.GUEST}{ref}" for ref in request.order_refs]
    if not request.customer_ref:
        return [buyers.qualified(code, each) for each in guests]
    own = [buyers.qualified(code, each) for each in (request.customer_ref, *guests)]
    return [request.customer_ref, *own]
