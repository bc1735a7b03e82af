"""The translators: one module a channel. Write one yourself: README.md in this folder."""

from connectors.contract import (
    Connector,
    Delivery,
    Hint,
    LookupWarranty,
    Page,
    PullOrders,
    PushedLevel,
    PushFulfillment,
    PushStock,
    ReceiveWebhooks,
    RegisterWarranty,
    SnapshotOrders,
    SnapshotStock,
    capabilities,
)
from connectors.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.registry import connect, installed
from connectors.remote import Remote, RemoteApi

__all__ = [
    "AuthFailed",
    "Conflict",
    "Connector",
    "ConnectorError",
    "Delivery",
    "Hint",
    "LookupWarranty",
    "NotFound",
    "Page",
    "PullOrders",
    "PushFulfillment",
    "PushStock",
    "PushedLevel",
    "RateLimited",
    "ReceiveWebhooks",
    "RegisterWarranty",
    "Rejected",
    "Remote",
    "RemoteApi",
    "SnapshotOrders",
    "SnapshotStock",
    "Transient",
    "Unknown",
    "capabilities",
    "connect",
    "installed",
]
