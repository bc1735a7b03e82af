"""How the buyer of a Square order is reached: who it goes to, else the customer that it names."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.contact_fields import shown_contact
from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.square.mapping import call
from connectors.toolkit.json_fields import child, object_field, records, text
from hub.vocabulary import Contact

DETAILS = ("shipment_details", "pickup_details", "delivery_details")


async def read_contact(api: RemoteApi, order: Mapping[str, Any]) -> Contact | None:
    """Return the recipient of an order, else its customer; None where it names neither."""
    found = _recipient(order)
    return found or await _customer(api, text(order, "customer_id"))


def _recipient(order: Mapping[str, Any]) -> Contact | None:
    for each in records(order, "fulfillments"):
        for name in DETAILS:
            to = child(child(each, name), "recipient")
            found = shown_contact(
                text(to, "email_address"), text(to, "phone_number"), text(to, "display_name")
            )
            if found is not None:
                return found
    return None


async def _customer(api: RemoteApi, ref: str) -> Contact | None:
    if not ref:
        return None
    try:
        answer = await call(api, "GET", f"/v2/customers/{quote(ref, safe='')}")
    except NotFound:  # erased since
        return None
    customer = object_field(answer, "customer")
    name = f"{text(customer, 'given_name')} {text(customer, 'family_name')}".strip()
    return shown_contact(text(customer, "email_address"), text(customer, "phone_number"), name)
