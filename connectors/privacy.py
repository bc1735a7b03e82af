"""Privacy requests that channels pass on: a customer's data, its erasure, the end of a shop."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class PrivacyKind(StrEnum):
    """What a channel asks for."""

    DATA = "data"  # a customer wants to see what is stored
    ERASE_CUSTOMER = "erase_customer"
    ERASE_ACCOUNT = "erase_account"  # the whole shop left: nothing of its customers is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A request, and the customer that it is about, in the channel's own references."""

    kind: PrivacyKind
    customer_ref: str = ""
    order_refs: Sequence[str] = ()
    identifiers: Sequence[str] = ()  # addresses, numbers and names by which stored text is found


class ReceivePrivacyRequests(ABC):
    """The channel passes on privacy requests among its webhooks."""

    @abstractmethod
    def privacy_request(self, topic: str, body: bytes) -> PrivacyRequest | None:
        """Return the request that a stored call holds; None for any other call."""
