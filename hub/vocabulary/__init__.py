"""The words of the house: GS1 terms for what happens to a unit, and what crosses its borders.

Everything here is a frozen value. This package imports nothing but the standard library, so that a
connector author can read it in one sitting and a test can build any of it in one line.
"""

from hub.vocabulary.devices import Device, DeviceQuestion
from hub.vocabulary.events import EventError, LedgerEvent, NamedUnit
from hub.vocabulary.gs1 import SELLABLE, BizStep, CaptureMethod, Disposition
from hub.vocabulary.messages import BuyerMessage, Contact, Notice, NoticeOutcome, NoticeReceipt
from hub.vocabulary.orders import Cancellation, HoldReason, LineKind, Order, OrderLine, OrderState
from hub.vocabulary.returns import Refund, RefundLine, Return, ReturnLine, ReturnState
from hub.vocabulary.shipments import Fulfillment, FulfillmentLine, Parcel
from hub.vocabulary.stock import ObservedLevel, StockLevel
from hub.vocabulary.warranties import (
    Coverage,
    Registration,
    Warranty,
    WarrantyQuestion,
    WarrantyStatus,
)

__all__ = [
    "SELLABLE",
    "BizStep",
    "BuyerMessage",
    "Cancellation",
    "CaptureMethod",
    "Contact",
    "Coverage",
    "Device",
    "DeviceQuestion",
    "Disposition",
    "EventError",
    "Fulfillment",
    "FulfillmentLine",
    "HoldReason",
    "LedgerEvent",
    "LineKind",
    "NamedUnit",
    "Notice",
    "NoticeOutcome",
    "NoticeReceipt",
    "ObservedLevel",
    "Order",
    "OrderLine",
    "OrderState",
    "Parcel",
    "Refund",
    "RefundLine",
    "Registration",
    "Return",
    "ReturnLine",
    "ReturnState",
    "StockLevel",
    "Warranty",
    "WarrantyQuestion",
    "WarrantyStatus",
]
