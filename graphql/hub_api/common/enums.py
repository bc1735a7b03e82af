"""GraphQL names and descriptions of the enums that the hub declares."""

import strawberry

from hub.access.approvals import State as RequestState
from hub.access.keys import Scope
from hub.after_sales.claim_rules import ClaimFinding
from hub.after_sales.cover import CoverKind, CoverStatus, Entitled
from hub.after_sales.repairs import WorkKind
from hub.availability.reasons import PendingReason, Reason
from hub.capture.answers import CaptureCode, Purpose, Signal
from hub.capture.failures import Remedy
from hub.cases import CaseKind, Severity
from hub.cases.quality import Check
from hub.cases.rules import RuleAction
from hub.cases.trail import CaseAction
from hub.catalogue import LocationKind, Picking, ReplacementCover, Tracking, Trait, WarrantyStart
from hub.catalogue.serial_case import SerialCase
from hub.catalogue.tracking_advice import Criterion
from hub.clients import ReportColumn
from hub.counts import Answer
from hub.counts import Kind as CountKind
from hub.counts.losses import Loss
from hub.decision_rules import ClaimDecision, Priority, ReturnDecision, Route, Topic
from hub.fulfillment.dispatch import DispatchFinding
from hub.fulfillment.tasks import TaskKind
from hub.history.replay import Declaration
from hub.history.unit_history import View
from hub.identifiers.labels import LabelFormat
from hub.inbound.ship_notices import DeliveryState
from hub.inbound.unserialized_stock import SerializationOrder
from hub.kits.kit_reports import Level
from hub.ledger.arrivals import Condition, RecordOrigin
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action, Status
from hub.proof.conservation import Law
from hub.recalls import Resolution
from hub.recalls.notices import NoticeState
from hub.reconciliation.kinds import Cause, Fix
from hub.reconciliation.kinds import Kind as DifferenceKind
from hub.reconciliation.kinds import Scope as ReconciliationScope
from hub.reconciliation.kinds import State as DifferenceState
from hub.reconciliation.promises import Measure
from hub.returns.findings import ReturnFinding
from hub.returns.receive import Disposal
from hub.returns.refund_requests import RefundState
from hub.storefront.order_status import Progress
from hub.storefront.stock import Band
from hub.sync.channels import GoneOrders, Oversell
from hub.sync.circuit import CircuitState
from hub.sync.mappings import MappingKind
from hub.sync.push_log import PushOutcome
from hub.unit_records.costs import By, CostKind
from hub.unit_records.further_identifiers import Audience
from hub.unit_records.merging import MergeObstacle
from hub.unit_records.ownership import OwnerKind
from hub.vocabulary import (
    BizStep,
    CaptureMethod,
    Disposition,
    HoldReason,
    LineKind,
    OrderState,
    ReturnState,
    WarrantyStatus,
)
from hub.webhooks import EndpointState
from hub.webhooks.signing import Signature

strawberry.enum(Scope, name="KeyScope", description="Permissions of an API key.")
strawberry.enum(RequestState, name="RequestState", description="State of a request for approval.")
strawberry.enum(ClaimDecision, description="Decision about a return; REFER: a person decides.")
strawberry.enum(
    ClaimFinding, description="Finding about a return. The values are stable: clients act on them."
)
strawberry.enum(
    Reason,
    name="AvailabilityReason",
    description="Why a unit counts for a channel, or does not: the first of them that holds.",
)
strawberry.enum(
    PendingReason,
    name="PendingReason",
    description="Reason for which a level is pending.",
)
strawberry.enum(Remedy, name="CaptureRemedy", description="How a failed capture ends.")
strawberry.enum(Signal, name="CaptureSignal", description="Go on, look twice, or stop.")
strawberry.enum(Purpose, name="CapturePurpose", description="A unit that arrives, or a known one.")
strawberry.enum(CaptureCode, description="Why a device signals what it does; it never changes.")
strawberry.enum(
    RuleAction, name="CaseRuleAction", description="Action that a rule takes on a case."
)
strawberry.enum(Check, name="QualityCheck", description="Data quality check of the records.")
strawberry.enum(CaseKind, description="Kind of an exception case.")
strawberry.enum(CaseAction, description="Step that was taken on a case.")
strawberry.enum(Severity, description="How soon somebody should look.")
strawberry.enum(LocationKind, description="Purpose of a location.")
strawberry.enum(Tracking, description="Level of tracking of a product.")
strawberry.enum(Trait, description="Trait of a product that suggests tracking by serial.")
strawberry.enum(WarrantyStart, description="Event with which a warranty starts.")
strawberry.enum(ReplacementCover, description="Cover of the replacement of a failed unit.")
strawberry.enum(SerialCase, description="Comparison of the serials of a product.")
strawberry.enum(Picking, description="Which units leave first.")
strawberry.enum(Action, name="UnitAction", description="Movement of a unit.")
strawberry.enum(
    MappingKind,
    description="Kind of mapped values: order states, return states or carriers.",
)
strawberry.enum(PushOutcome, description="Outcome of an attempt to push something to a channel.")
strawberry.enum(GoneOrders, description="Action about an order that its channel no longer has.")
strawberry.enum(Oversell, description="Handling of orders for more than there is.")
strawberry.enum(CircuitState, description="Whether a channel is talked to.")
strawberry.enum(ReportColumn, description="Column of a report about units.")
strawberry.enum(CountKind, name="CountKind", description="Kind of a count result.")
strawberry.enum(
    Answer, name="CountAnswer", description="Answer to a counter; a blind count answers NOTED."
)
strawberry.enum(Topic, name="RuleTopic", description="Topic that rules decide about.")
strawberry.enum(Priority, description="How soon a piece of work is to be done.")
strawberry.enum(TaskKind, description="Kind of a task.")
strawberry.enum(DispatchFinding, description="Finding of the check for one serial.")
strawberry.enum(
    Declaration,
    name="ErrorReason",
    description="Reason for a correction, by EPCIS 2.0.",
)
strawberry.enum(MergeObstacle, name="MergeObstacle", description="Obstacle to merging two records.")
strawberry.enum(Law, name="ConservationLaw", description="Law that the ledger always keeps.")
strawberry.enum(
    DeliveryState, name="AdvanceShipNoticeState", description="State of an advance ship notice."
)
strawberry.enum(SerializationOrder, description="Criterion by which products are ranked.")
strawberry.enum(
    Level,
    name="KitLevel",
    description="Level that a report counts: whole kits (SET) or their parts (COMPONENT).",
)
strawberry.enum(
    Resolution,
    name="RecallResolution",
    description="Resolution of a recalled unit; REPAIRED and CLEARED lift its block.",
)
strawberry.enum(NoticeState, description="How far a message to a customer got.")
strawberry.enum(
    ReconciliationScope, name="ReconciliationScope", description="Data that a run compares."
)
strawberry.enum(
    DifferenceKind, name="DifferenceKind", description="In what the two sides disagree."
)
strawberry.enum(DifferenceState, name="DifferenceState", description="State of a difference.")
strawberry.enum(Cause, name="DifferenceCause", description="Why, where it can be proved.")
strawberry.enum(
    Measure, name="ReconciliationMeasure", description="Subject of a promised service level."
)
strawberry.enum(Fix, name="DifferenceFix", description="Fix that would remove the difference.")
strawberry.enum(ReturnState, description="Where a return of a channel stands.")
strawberry.enum(RefundState, description="Outcome of a refund that a channel was asked for.")
strawberry.enum(ReturnDecision, description="Decision about a return; REFER: a person decides.")
strawberry.enum(
    ReturnFinding, description="Finding about a return. The values are stable: clients act on them."
)
strawberry.enum(Route, name="ReturnRoute", description="Route of a returned unit.")
strawberry.enum(Disposal, description="The final disposition of a unit.")
strawberry.enum(CostKind, description="Kind of a cost.")
strawberry.enum(By, name="ValuationBy", description="Criterion by which a valuation is divided.")
strawberry.enum(Criterion, name="TrackingCriterion", description="Why to follow a product.")
strawberry.enum(OwnerKind, description="Who owns a unit.")
strawberry.enum(CoverKind, description="Kind of a cover.")
strawberry.enum(CoverStatus, description="Where a cover stands on a day; UNKNOWN stays unknown.")
strawberry.enum(Entitled, description="Whether anything covers the unit.")
strawberry.enum(WorkKind, description="Kind of service work.")
strawberry.enum(LabelFormat, description="How a label is drawn.")
strawberry.enum(Loss, description="Kind of a loss.")
strawberry.enum(Status, name="UnitStatus", description="Where a unit stands in its life.")
strawberry.enum(BizStep, description="GS1 CBV business step; allocating and releasing are ours.")
strawberry.enum(Disposition, description="GS1 CBV disposition.")
strawberry.enum(CaptureMethod, description="How a serial reached the ledger.")
strawberry.enum(HoldKind, description="Why a unit is held: promised (SALE), or blocked.")
strawberry.enum(OrderState, description="Where an order stands; FULFILLED: all its units left.")
strawberry.enum(HoldReason, description="Why nothing of an order may leave now.")
strawberry.enum(LineKind, description="Kind of an order line; only GOODS take units.")
strawberry.enum(
    Band,
    name="StockBand",
    description="How much of a product there is, without a number.",
)
strawberry.enum(Progress, name="OrderProgress", description="How far an order of a shop is.")
strawberry.enum(Condition, name="UnitCondition", description="How worn a unit is.")
strawberry.enum(RecordOrigin, description="Where the record of a unit began.")
strawberry.enum(Audience, description="Who a serial is shown to.")
strawberry.enum(
    View,
    name="HistoryView",
    description="RECORDED: what was recorded, mistakes and all. CORRECTED: what is held true "
    "now. BOTH: what was recorded, with the corrections beside it.",
)
strawberry.enum(WarrantyStatus, description="Answer of a manufacturer about a warranty.")
strawberry.enum(EndpointState, name="WebhookState", description="State of a webhook endpoint.")
strawberry.enum(Signature, name="WebhookSignature", description="How messages are signed.")
