"""Messages to buyers over Amazon's Messaging API v1, which hides their addresses.

Of the kinds that Amazon lets a seller send, the one about an unexpected problem is made for a
danger: it is critical and may be sent without a question of the buyer. Amazon has no key for it and
lists no message, so one whose answer got lost may arrive twice.
"""

from urllib.parse import quote

from connectors.amazon.fulfillment import fetch_order
from connectors.amazon.mapping import MESSAGES, operation_of
from connectors.remote import RemoteApi
from hub.vocabulary import BuyerMessage

CHARS_MAX = 2_000
CUT = "…"


async def message_buyer(api: RemoteApi, message: BuyerMessage) -> str:
    """Send a message about an unexpected problem with an order; return what names it."""
    order = await fetch_order(api, message.order_ref, "FULFILLMENT")
    marketplace = (order.get("salesChannel") or {}).get("marketplaceId") or ""
    path = f"{MESSAGES}/{quote(message.order_ref, safe='')}/messages/unexpectedProblem"
    text = f"{message.subject}\n{message.text}"
    body = {"text": text if len(text) <= CHARS_MAX else text[: CHARS_MAX - 1] + CUT}
    await api.request(
        "POST",
        path,
        params={"marketplaceIds": marketplace},
        json=body,
        operation=operation_of("POST", path),
    )
    return f"{message.order_ref} {message.reference}"
