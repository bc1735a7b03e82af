"""Shopify's three mandatory privacy webhooks."""

from collections.abc import Mapping
from typing import Any

from connectors.privacy import PrivacyKind, PrivacyRequest, ReceivePrivacyRequests
from connectors.shopify.mapping import order_refs
from connectors.toolkit.json_fields import parsed_json

KINDS: Mapping[str, PrivacyKind] = {
    "customers/data_request": PrivacyKind.DATA,
    "customers/redact": PrivacyKind.ERASE_CUSTOMER,
    "shop/redact": PrivacyKind.ERASE_ACCOUNT,
}


class ShopifyPrivacy(ReceivePrivacyRequests):
    """Reads the privacy topics."""

    def privacy_request(self, topic: str, body: bytes) -> PrivacyRequest | None:
        """Return the request of a privacy topic; what its body does not hold is left empty."""
        kind = KINDS.get(topic)
        if kind is None:
            return None
        payload = _object(body)
        found = payload.get("customer")
        customer: Mapping[str, Any] = found if isinstance(found, dict) else {}
        listed = payload.get("orders_to_redact") or payload.get("orders_requested")
        orders = listed if isinstance(listed, list) else []
        said = (customer.get(name) for name in ("email", "phone"))
        return PrivacyRequest(
            kind=kind,
            customer_ref=f"gid://shopify/Customer/{customer['id']}" if customer.get("id") else "",
            order_refs=[ref.order_ref for each in orders for ref in order_refs(each)],
            identifiers=[str(each) for each in said if each],
        )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        payload = parsed_json(body)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
