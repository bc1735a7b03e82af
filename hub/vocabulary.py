"""The words of the house: GS1 terms for what happens to a unit, and what crosses its borders.

Everything here is a frozen value. This module imports nothing but the standard library, so that a
connector author can read it in one sitting and a test can build any of it in one line. Business
steps and dispositions are those of the GS1 Core Business Vocabulary (CBV 2.0) unless marked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class BizStep(StrEnum):
    """What was done to a unit (GS1 CBV business step, unless marked as a house word)."""

    COMMISSIONING = "commissioning"  # the serial was put on the unit; its record is commission
    RECEIVING = "receiving"  # a receipt; also a transfer or a return that arrives
    STORING = "storing"  # putaway, or a move to another bin
    ALLOCATING = "allocating"  # house word: promised to an order line (CBV `reserving` differs)
    RELEASING = "releasing"  # house word: the promise or the block is taken back
    HOLDING = "holding"  # quality, recall, fraud
    PICKING = "picking"
    PACKING = "packing"
    SHIPPING = "shipping"  # to a customer; also a transfer that leaves
    RETAIL_SELLING = "retail_selling"  # sold over a counter
    INSPECTING = "inspecting"  # a returned unit is graded and its disposition decided
    REPAIRING = "repairing"
    DESTROYING = "destroying"  # written off
    ACCEPTING = "accepting"  # the owner changes
    ASSEMBLING = "assembling"  # a unit becomes part of a kit
    DISASSEMBLING = "disassembling"
    CYCLE_COUNTING = "cycle_counting"  # a count: seen, missed, found
    DECOMMISSIONING = "decommissioning"  # a record ends: the unit goes on under another one
    INSTALLING = "installing"  # taken into use: its warranty may start
    SENSOR_REPORTING = "sensor_reporting"
    ANNOTATING = "annotating"  # house word: something is linked to the unit, its state stays


class Disposition(StrEnum):
    """What a unit is after the step (GS1 CBV disposition)."""

    ACTIVE = "active"  # commissioned, not yet received
    INACTIVE = "inactive"  # decommissioned: a record that was merged into another
    IN_PROGRESS = "in_progress"  # received, picked or packed: on its way through the building
    SELLABLE_NOT_ACCESSIBLE = "sellable_not_accessible"  # in the warehouse or the back room
    SELLABLE_ACCESSIBLE = "sellable_accessible"  # on the shelf of a shop
    NON_SELLABLE_OTHER = "non_sellable_other"  # blocked
    IN_TRANSIT = "in_transit"
    RETAIL_SOLD = "retail_sold"
    RETURNED = "returned"
    DAMAGED = "damaged"
    RECALLED = "recalled"
    DESTROYED = "destroyed"
    UNKNOWN = "unknown"  # missing: nobody knows where it is
    STOLEN = "stolen"
    UNAVAILABLE = "unavailable"  # part of a kit: it goes where the kit goes


SELLABLE = frozenset({Disposition.SELLABLE_ACCESSIBLE, Disposition.SELLABLE_NOT_ACCESSIBLE})


class CaptureMethod(StrEnum):
    """How the serial reached the ledger."""

    SCAN = "scan"
    MANUAL = "manual"
    IMPORT = "import"
    API = "api"
    RFID = "rfid"


class OrderState(StrEnum):
    """Where an order stands, in the few words that every channel can be read into."""

    DRAFT = "draft"  # not placed, or its payment failed: no unit is promised
    PENDING = "pending"  # placed, not yet payable or paid: units are promised, nothing leaves
    OPEN = "open"  # to be fulfilled
    FULFILLED = "fulfilled"  # everything left, or was handed over at the counter
    CANCELLED = "cancelled"


class HoldReason(StrEnum):
    """Why nothing of an order may leave now, in the few words that every channel can be read into.

    A pending order always has one. A free order (nothing to pay) is not held for its payment.
    """

    PAYMENT_PENDING = "payment_pending"  # not paid, not authorized, or the payment was voided
    ON_HOLD = "on_hold"  # the seller or the channel stopped it
    FRAUD_REVIEW = "fraud_review"
    CANCELLATION_REQUESTED = "cancellation_requested"  # by the buyer; the seller has not decided
    REFUNDED = "refunded"  # paid back in full before it left


class LineKind(StrEnum):
    """What an order line sells. Only goods take units; the other lines never keep an order open."""

    GOODS = "goods"
    GIFT_CARD = "gift_card"
    SERVICE = "service"
    DIGITAL = "digital"
    TIP = "tip"
    FEE = "fee"  # shipping protection, a deposit, a surcharge
    CUSTOM = "custom"  # typed in at the channel: no SKU, no product


class ReturnState(StrEnum):
    """Where a return stands, in the few words that every channel can be read into."""

    REQUESTED = "requested"  # the customer asked; nobody has agreed yet
    OPEN = "open"  # agreed: what is to come back is on its way
    CLOSED = "closed"  # the channel has nothing left to do about it
    CANCELLED = "cancelled"  # declined or withdrawn


class WarrantyStatus(StrEnum):
    """What a manufacturer says about a serial. Unknown never turns into "not covered"."""

    COVERED = "covered"
    EXPIRED = "expired"
    NOT_COVERED = "not_covered"
    UNKNOWN = "unknown"  # the manufacturer does not know the serial, or could not say
    INVALID = "invalid"  # the manufacturer says that this can not be one of its serials


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLevel:
    """The quantity that one listing of a channel is to show: absolute, never a change.

    `remote` holds the channel's own references of the listing, as its connector stored them.
    `expected` is the quantity last seen there, for channels that compare before they set; None
    means: not known, do not compare. `key` is the idempotency key: it derives from what was
    observed and from the version wanted, never from the value alone, so that writing the same
    value again after a foreign edit is a new request.
    """

    listing: str
    sku: str
    available: int
    remote: Mapping[str, str]
    expected: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedLevel:
    """What a channel shows for one of its listings right now."""

    sku: str
    quantity: int
    remote: Mapping[str, str]
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order, in the channel's own references."""

    ref: str
    sku: str
    quantity: int  # ordered, less what was cancelled or refunded before it left
    fulfilled: int = 0  # what the channel believes has left
    serials: tuple[str, ...] = ()  # named by the channel: a POS that sold a known unit
    # What the channel shows as shipped, whoever wrote it; None: it does not show serials by line.
    shown_serials: tuple[str, ...] | None = None
    title: str = ""
    kind: LineKind = LineKind.GOODS
    unit_price: Decimal | None = None  # of one unit before discounts, in the order's currency
    discount: Decimal | None = None  # of the whole line, its share of the order's included
    tax: Decimal | None = None  # of the whole line


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the channel states it now. Personal data stays in the channel.

    `remote_state` is the channel's own word, kept for people; `state` is what we make of it, `hold`
    why nothing may leave. `at_counter` means that the goods were handed over when the order was
    made. Amounts are exact decimals in `currency` (ISO 4217); None where the channel hides them.
    """

    ref: str
    number: str  # what people call it
    state: OrderState
    remote_state: str
    lines: tuple[OrderLine, ...]
    placed_at: datetime
    updated_at: datetime
    at_counter: bool = False
    customer_ref: str | None = None  # the channel's id of the customer, a pseudonym
    origin_ref: str | None = None  # imported from another channel: that channel's reference
    hold: HoldReason | None = None
    test: bool = False  # made to try the shop: nobody bought anything
    currency: str | None = None
    total: Decimal | None = None  # what the buyer pays, taxes and shipping included
    discount: Decimal | None = None
    tax: Decimal | None = None
    shipping: Decimal | None = None
    refunded: Decimal | None = None  # paid back so far
    tax_included: bool | None = None  # whether prices of lines contain their tax
    ship_by: datetime | None = None  # promised by the channel to the buyer
    deliver_by: datetime | None = None
    is_gift: bool = False
    has_note: bool = False  # the buyer wrote something: read it in the channel
    location_ref: str | None = None  # where the channel wants it fulfilled, in its own reference
    # What the channel shows as shipped of the whole order, where it does not show it by line.
    shown_serials: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """What of one order line comes back, or is refunded, or both; quantities are of units."""

    order_line_ref: str
    quantity: int
    comes_back: bool = True  # False: the customer keeps it
    arrived: int = 0  # so many are back, the channel believes
    refunded: int = 0
    taken_off: int = 0  # by so many the channel has lowered the order line's quantity
    restock: bool = False  # the channel counts it as its stock again
    reason: str = ""  # in the channel's own words
    serials: tuple[str, ...] = ()  # named by the channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A return, or a refund without one, as the channel states it now.

    A refund that is about no goods has no lines. An exchange names the new lines of the same
    order, or the new order, that the customer gets instead.
    """

    ref: str
    order_ref: str
    state: ReturnState
    remote_state: str
    lines: tuple[ReturnLine, ...]
    updated_at: datetime
    refund_ref: str | None = None
    refunded_at: datetime | None = None
    exchange_line_refs: tuple[str, ...] = ()
    exchange_order_ref: str | None = None

    @property
    def refunded(self) -> bool:
        """Say whether the customer got money back."""
        return self.refunded_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """An order that can not be served: its channel is asked to cancel it."""

    reference: str  # ours; the same for every repeat
    order_ref: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentLine:
    """Which units of one order line left."""

    order_line_ref: str
    serials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What of an order left together, under our reference, which never changes."""

    reference: str
    lines: tuple[FulfillmentLine, ...]
    shipped_at: datetime
    carrier: str | None = None
    tracking: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfillment:
    """One shipment of an order. `reference` is ours and never changes between repeats.

    `other_line_refs` are the lines that take no units: gift cards, services, goods whose stock the
    channel keeps. The hub never ships them, and an order is done without them. `other_parcels` are
    what else of the order has left, for connectors that report an order as a whole.
    """

    reference: str
    order_ref: str
    lines: tuple[FulfillmentLine, ...]
    shipped_at: datetime
    carrier: str | None = None
    tracking: str | None = None
    other_line_refs: tuple[str, ...] = ()
    other_parcels: tuple[Parcel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarrantyQuestion:
    """One serial to look up. The manufacturer comes from the product, never from the serial."""

    serial: str
    product: str  # the manufacturer's own product number where known, else the SKU


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One entitlement of a unit; both days belong to it."""

    name: str
    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warranty:
    """A manufacturer's answer about one serial."""

    serial: str
    status: WarrantyStatus
    registered: bool = False  # a sale or an owner is on record there
    starts_on: date | None = None
    ends_on: date | None = None
    coverages: tuple[Coverage, ...] = field(default=())
    sold_on: date | None = None  # the day of the sale on record; None: not stated
    product: str = ""  # its own number of the product that has the serial; empty: not stated
    reference: str = ""  # of the registration on record, as it was given; empty: not stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A unit was sold: the manufacturer is told, so that its warranty starts on the right day."""

    reference: str  # ours; the same for every repeat
    serial: str
    product: str
    sold_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How to reach a person. It is handed to the connector that sends, and shows in no log."""

    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)  # E.164
    language: str = "en"  # BCP 47


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to one person."""

    reference: str  # ours; the same for every repeat
    contact: Contact
    subject: str
    text: str


class NoticeOutcome(StrEnum):
    """What became of a message after it was sent."""

    DELIVERED = "delivered"
    FAILED = "failed"
    ANSWERED = "answered"  # the person read it and confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeReceipt:
    """What a channel says about a message that it was given."""

    message: str  # the channel's own id of the message
    outcome: NoticeOutcome
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventError:
    """An event was recorded in error: which one, since when that is known, and why.

    `reason` is one of EPCIS's two: ``did_not_occur`` or ``incorrect_data``.
    """

    event: str
    declared_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUnit:
    """A unit by what it is named: serial, SKU, and GTIN of 14 digits where it has one."""

    serial: str
    sku: str
    gtin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEvent:
    """One thing that happened to one unit, for those outside who keep histories too.

    A correction shows the event that was in error as it was recorded, names it in `error`, and
    tells in `restated` what was right instead, if anything happened at all. `read_point` is where
    it happened, `location` where the unit is afterwards (None: on its way, or with a customer);
    both are codes of ours.
    """

    id: str
    serial: str
    sku: str
    gtin: str | None  # 14 digits
    action: str  # the ledger's own word
    biz_step: str
    disposition: str
    occurred_at: datetime
    read_point: str
    location: str | None = None
    document_type: str | None = None  # CBV
    document_ref: str | None = None
    # The unit that this one becomes a part of, or stops being a part of (EPCIS aggregation).
    parent: NamedUnit | None = None
    error: EventError | None = None
    restated: "LedgerEvent | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceQuestion:
    """A medical device that a registry is asked about, by the number on its label."""

    identifier: str  # the DI: a GTIN of 14 digits, or another issuing agency's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a registry says of a medical device: the model, never the single unit."""

    identifier: str
    brand: str
    company: str
    model: str = ""  # version or model number
    catalogue_number: str = ""
    description: str = ""
    status: str = ""  # of its distribution, in the registry's own words
    implantable: bool | None = None
    single_use: bool | None = None
    prescription: bool | None = None
    sterile: bool | None = None
    # What its label has to bear beside the DI; None: the registry does not say.
    bears_serial: bool | None = None
    bears_lot: bool | None = None
    bears_expiry: bool | None = None
    mri_safety: str = ""
    terms: tuple[str, ...] = ()  # GMDN
    product_codes: tuple[str, ...] = ()
    published_on: date | None = None
