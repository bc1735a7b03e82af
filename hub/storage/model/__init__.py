"""The tables. Rows of the ledger are never deleted; an event row is never changed.

Times are microseconds since 1970 in UTC, ids are UUIDv7 in text form, and what has no columns of
its own is JSON in a text column: the same on SQLite and on PostgreSQL. The classes define the
tables and their migrations; the hot path speaks SQL (`hub.storage.sql`), because a session's unit
of work costs thirty times as much on the scan transaction.
"""

from sqlalchemy import DefaultClause, text
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlmodel import SQLModel

from hub.storage.model.access import (
    ApiKey,
    Approval,
    FailedAttempt,
    LoginSession,
    TrailChange,
    TrailEntry,
    TrustedDocument,
)
from hub.storage.model.care import (
    Client,
    DecisionRule,
    Entitlement,
    KitMembership,
    Person,
    RefundRequest,
    ReturnCase,
    SensorReading,
    UnitCost,
    WarrantyClaim,
)
from hub.storage.model.commerce import (
    Channel,
    ChannelReturn,
    ChannelReturnLine,
    Checkout,
    LineReturn,
    Listing,
    ListingLevel,
    Order,
    OrderLine,
    ProductAlternative,
    Substitution,
)
from hub.storage.model.inbound import (
    Delivery,
    DeliveryLine,
    ImportRow,
    ImportRun,
    UnserializedStock,
)
from hub.storage.model.recalls import CountResult, CountScan, Notice, Recall, RecallUnit, StockCount
from hub.storage.model.review import (
    Case,
    CaseEvent,
    CaseOwner,
    CaseRule,
    DeviceRecord,
    QualityMark,
    ReconciliationDifference,
    ReconciliationRun,
    WarrantyRecord,
)
from hub.storage.model.sync import (
    Budget,
    ChannelStream,
    ChannelToken,
    Circuit,
    Cursor,
    Inbox,
    JobRun,
    Outbox,
    PushAttempt,
)
from hub.storage.model.units import (
    Checkpoint,
    Command,
    Event,
    Hold,
    Identifier,
    Location,
    Manufacturer,
    Product,
    Unit,
    UnitField,
)
from hub.storage.model.webhooks import WebhookAttempt, WebhookEndpoint, WebhookMessage

metadata = SQLModel.metadata

__all__ = [
    "ApiKey",
    "Approval",
    "Budget",
    "Case",
    "CaseEvent",
    "CaseOwner",
    "CaseRule",
    "Channel",
    "ChannelReturn",
    "ChannelReturnLine",
    "ChannelStream",
    "ChannelToken",
    "Checkout",
    "Checkpoint",
    "Circuit",
    "Client",
    "Command",
    "CountResult",
    "CountScan",
    "Cursor",
    "DecisionRule",
    "Delivery",
    "DeliveryLine",
    "DeviceRecord",
    "Entitlement",
    "Event",
    "FailedAttempt",
    "Hold",
    "Identifier",
    "ImportRow",
    "ImportRun",
    "Inbox",
    "JobRun",
    "KitMembership",
    "LineReturn",
    "Listing",
    "ListingLevel",
    "Location",
    "LoginSession",
    "Manufacturer",
    "Notice",
    "Order",
    "OrderLine",
    "Outbox",
    "Person",
    "Product",
    "ProductAlternative",
    "PushAttempt",
    "QualityMark",
    "Recall",
    "RecallUnit",
    "ReconciliationDifference",
    "ReconciliationRun",
    "RefundRequest",
    "ReturnCase",
    "SensorReading",
    "StockCount",
    "Substitution",
    "TrailChange",
    "TrailEntry",
    "TrustedDocument",
    "Unit",
    "UnitCost",
    "UnitField",
    "UnserializedStock",
    "WarrantyClaim",
    "WarrantyRecord",
    "WebhookAttempt",
    "WebhookEndpoint",
    "WebhookMessage",
    "metadata",
]


def _default_in_the_database() -> None:
    """Give every default to the database too: the hub's own SQL names only what it sets."""
    for table in metadata.tables.values():
        for column in table.columns:
            default = column.default
            if column.server_default or not isinstance(default, ScalarElementColumnDefault):
                continue
            value = default.arg
            if isinstance(value, bool):
                column.server_default = DefaultClause(text(str(value).lower()))
            elif isinstance(value, int):
                column.server_default = DefaultClause(text(str(value)))
            else:
                column.server_default = DefaultClause(text(f"'{value}'"))


_default_in_the_database()
