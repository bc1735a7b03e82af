"""Contacts of buyers, read out of what a channel shows of an order."""

from collections.abc import Mapping
from typing import Any

from connectors.toolkit.json_fields import text
from hub.vocabulary import Contact

NAMES = ("first_name", "last_name")


def shown_contact(
    email: str, phone: str = "", name: str = "", language: str = "en"
) -> Contact | None:
    """Return a contact; None where there is neither an address nor a number."""
    if not email.strip() and not phone.strip():
        return None
    return Contact(
        name=" ".join(name.split()),
        email=email.strip() or None,
        phone=phone.strip() or None,
        language=language or "en",
    )


def full_name(address: Mapping[str, Any]) -> str:
    """Return the name in an address that has it in two fields."""
    return " ".join(text(address, each) for each in NAMES)
