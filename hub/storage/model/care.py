"""The tables of what follows a sale: returns, warranty claims, further cover, costs, people."""

from sqlalchemy import Column, Float, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.storage.model.columns import instant, integer, own_id, to, where, words


class DecisionRule(SQLModel, table=True):
    """One line of a policy that people can change: where it fits, it decides.

    `topic` is return (may it come back?), route (what becomes of it?), claim (does the warranty
    pay?) or priority (what is done first?). The smallest `rank` that fits decides.
    """

    __tablename__ = "decision_rule"
    __table_args__ = (UniqueConstraint("topic", "code"),)

    id: str = own_id()
    topic: str = Field(max_length=20)
    code: str = Field(max_length=60)
    name: str = Field(max_length=200)
    rank: int = integer()
    conditions: str = words(nullable=False, default="{}")  # JSON
    outcome: str = words(nullable=False, default="{}")  # JSON
    changed_by: str = Field(max_length=100)
    changed_at: int = instant()


class ReturnCase(SQLModel, table=True):
    """One answer at the counter about a unit that somebody brings back, and what became of it."""

    __tablename__ = "return_case"
    __table_args__ = (
        Index("return_case_unit", "unit_id", "decided_at"),
        Index("return_case_open", "state", "decided_at"),
    )

    id: str = own_id()
    identifier: str = Field(max_length=200)  # as it was read
    unit_id: str | None = to("unit", nullable=True)
    order_id: str | None = to("sales_order", nullable=True, index=True)
    customer_ref: str | None = Field(default=None, max_length=200)
    location_id: str = to("location")
    reason: str = Field(max_length=200)
    decision: str = Field(max_length=20)  # accept, refuse, refer
    rule: str = Field(max_length=60)
    evidence: str = words(nullable=False)  # JSON: everything that the decision stands on
    state: str = Field(max_length=20)  # decided, received, refunded, closed
    route: str | None = Field(default=None, max_length=20)  # restock, repair, recycle, write_off
    route_rule: str | None = Field(default=None, max_length=60)
    refund_ref: str | None = Field(default=None, max_length=200)
    replacement_id: str | None = Field(default=None, max_length=36)  # a unit
    decided_by: str = Field(max_length=100)
    decided_at: int = instant()
    received_at: int | None = instant(nullable=True)
    refunded_at: int | None = instant(nullable=True)
    closed_at: int | None = instant(nullable=True)


class RefundRequest(SQLModel, table=True):
    """Money that the channel of an order is asked to pay back, and what came of it."""

    __tablename__ = "refund_request"
    __table_args__ = (Index("refund_request_state", "state", "requested_at"),)

    id: str = own_id()
    order_id: str = to("sales_order", index=True)
    return_id: str | None = to("return_case", nullable=True, index=True)
    state: str = Field(max_length=20)  # requested, paid, refused, unknown
    # Exact decimals as text, in the order's currency.
    amount: str = Field(max_length=40)
    currency: str = Field(max_length=3)
    refunded_before: str | None = Field(default=None, max_length=40)  # when it was first sent
    lines: str = words(nullable=False)  # JSON list: line id, its reference, quantity, amount
    reason: str = Field(max_length=200)
    refund_ref: str | None = Field(default=None, max_length=200)  # of the channel
    error: str | None = Field(default=None, max_length=500)
    requested_by: str = Field(max_length=100)
    requested_at: int = instant()
    settled_at: int | None = instant(nullable=True)


class WarrantyClaim(SQLModel, table=True):
    """A customer's claim about one unit, measured from its start to the decision."""

    __tablename__ = "warranty_claim"
    __table_args__ = (
        Index("warranty_claim_unit", "unit_id", "opened_at"),
        Index("warranty_claim_state", "state", "opened_at"),
    )

    id: str = own_id()
    unit_id: str = to("unit")
    customer_ref: str | None = Field(default=None, max_length=200)
    fault: str = Field(max_length=300)
    state: str = Field(max_length=20)  # open, approved, refused, disputed, closed
    decision: str | None = Field(default=None, max_length=20)  # repair, replace, refuse
    rule: str | None = Field(default=None, max_length=60)
    evidence: str = words(nullable=False, default="{}")  # JSON
    replacement_id: str | None = Field(default=None, max_length=36)  # a unit
    disputes: int = integer()
    opened_by: str = Field(max_length=100)
    opened_at: int = instant()
    decided_at: int | None = instant(nullable=True)
    closed_at: int | None = instant(nullable=True)


class Entitlement(SQLModel, table=True):
    """What belongs to one unit beside its warranty: extended cover, an agreement, a license."""

    __table_args__ = (
        UniqueConstraint("kind", "reference", "unit_id"),
        Index("entitlement_unit", "unit_id"),
        Index("entitlement_reference", "reference"),
        # A license runs on one unit at a time.
        Index(
            "license_now",
            "reference",
            "provider",
            unique=True,
            **where("kind = 'license' AND revoked_at IS NULL"),
        ),
    )

    id: str = own_id()
    unit_id: str = to("unit")
    kind: str = Field(max_length=30)  # extended_warranty, service_agreement, license, inherited
    reference: str = Field(max_length=200)
    provider: str | None = Field(default=None, max_length=200)
    starts_on: str | None = Field(default=None, max_length=10)  # ISO days, both belong to it
    ends_on: str | None = Field(default=None, max_length=10)
    granted_at: int = instant()
    revoked_at: int | None = instant(nullable=True)


class UnitCost(SQLModel, table=True):
    """What one unit cost: never changed, a mistake is taken back by its negative."""

    __tablename__ = "unit_cost"
    __table_args__ = (Index("unit_cost_unit", "unit_id"),)

    id: str = own_id()
    unit_id: str = to("unit")
    kind: str = Field(max_length=20)  # acquisition, freight, duty, repair, storage, other
    amount: int = integer()  # in the currency's smallest part; negative takes back
    # The line that this one takes back: once at most.
    takes_back: str | None = Field(default=None, max_length=36, unique=True)
    currency: str = Field(max_length=3)  # ISO 4217
    document_type: str | None = Field(default=None, max_length=40)
    document_ref: str | None = Field(default=None, max_length=200)
    actor: str = Field(max_length=100)
    occurred_at: int = instant()
    recorded_at: int = instant()


class SensorReading(SQLModel, table=True):
    """What a sensor measured at one unit (EPCIS 2.0 sensor report)."""

    __tablename__ = "sensor_reading"
    __table_args__ = (Index("sensor_reading_unit", "unit_id", "measured_at"),)

    id: str = own_id()
    unit_id: str = to("unit")
    type: str = Field(max_length=40)  # temperature, humidity, shock …
    value: float = Field(sa_column=Column(Float, nullable=False), default=None)
    unit_of_measure: str = Field(max_length=10)  # UN/CEFACT: CEL, FAH, P1 …
    device: str | None = Field(default=None, max_length=100)
    measured_at: int = instant()
    recorded_at: int = instant()


class Person(SQLModel, table=True):
    """How to reach a customer. The ledger knows only `ref`, so that a person can be erased."""

    ref: str = Field(primary_key=True, max_length=200)  # the pseudonym that orders carry
    contact: str | None = words()  # encrypted; None: erased
    changed_at: int = instant()
    erased_at: int | None = instant(nullable=True)
    erased_by: str | None = Field(default=None, max_length=100)
    erased_because: str | None = Field(default=None, max_length=200)


class Client(SQLModel, table=True):
    """Whose goods a third-party warehouse keeps: each client sees only its own."""

    id: str = own_id()
    code: str = Field(unique=True, max_length=64)
    name: str = Field(max_length=200)
    created_at: int = instant()


class KitMembership(SQLModel, table=True):
    """A unit was part of another from a time to a time (EPCIS aggregation)."""

    __tablename__ = "kit_membership"
    __table_args__ = (
        # A unit is in one kit at a time.
        Index("kit_member_now", "child_id", unique=True, **where("left_at IS NULL")),
        Index("kit_membership_parent", "parent_id", "joined_at"),
    )

    id: str = own_id()
    parent_id: str = to("unit")
    child_id: str = to("unit", index=True)
    role: str = Field(default="", max_length=60)
    joined_at: int = instant()
    left_at: int | None = instant(nullable=True)
