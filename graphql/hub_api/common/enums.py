"""GraphQL names and descriptions of the enums that the hub declares."""

import strawberry

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
from hub.ledger.commissioning import Condition, RecordOrigin
from hub.ledger.holds import HoldKind
from hub.lifecycle import Action, Status
from hub.proof.conservation import Law
from hub.recalls import Resolution
from hub.recalls.notices import NoticeState
from hub.reconciliation.differences import Cause, Fix
from hub.reconciliation.differences import Kind as DifferenceKind
from hub.reconciliation.differences import Scope as ReconciliationScope
from hub.returns.findings import ReturnFinding
from hub.returns.receive import Disposal
from hub.sync.channels import Oversell
from hub.sync.circuit import CircuitState
from hub.sync.mappings import MappingKind
from hub.sync.push_log import PushOutcome
from hub.unit_records.costs import By, CostKind
from hub.unit_records.further_identifiers import Audience
from hub.unit_records.ownership import OwnerKind
from hub.vocabulary import (
    BizStep,
    CaptureMethod,
    Disposition,
    OrderState,
    ReturnState,
    WarrantyStatus,
)
from hub.webhooks import EndpointState
from hub.webhooks.signing import Signature

strawberry.enum(Scope, name="KeyScope", description="What an API key may do.")
strawberry.enum(ClaimDecision, description="What is answered; REFER: a person decides.")
strawberry.enum(ClaimFinding, description="What was noticed; it never changes: act on it.")
strawberry.enum(
    Reason,
    name="AvailabilityReason",
    description="Why a unit counts for a channel, or does not: the first of them that holds.",
)
strawberry.enum(
    PendingReason,
    name="PendingReason",
    description="Why a channel was not told its newest quantity yet.",
)
strawberry.enum(Remedy, name="CaptureRemedy", description="How a failed capture ends.")
strawberry.enum(Signal, name="CaptureSignal", description="Go on, look twice, or stop.")
strawberry.enum(Purpose, name="CapturePurpose", description="A unit that arrives, or a known one.")
strawberry.enum(CaptureCode, description="Why a device signals what it does; it never changes.")
strawberry.enum(RuleAction, name="CaseRuleAction", description="What a rule does with a case.")
strawberry.enum(Check, name="QualityCheck", description="What is looked for in the records.")
strawberry.enum(CaseKind, description="What went wrong.")
strawberry.enum(CaseAction, description="What became of a case.")
strawberry.enum(Severity, description="How soon somebody should look.")
strawberry.enum(LocationKind, description="What a place is for.")
strawberry.enum(Tracking, description="What is kept of a product's units.")
strawberry.enum(Trait, description="What makes a product worth following by serial.")
strawberry.enum(WarrantyStart, description="What starts the warranty of a unit.")
strawberry.enum(ReplacementCover, description="What covers the replacement of a failed unit.")
strawberry.enum(Picking, description="Which units leave first.")
strawberry.enum(Action, name="UnitAction", description="What can be done to a unit.")
strawberry.enum(
    MappingKind,
    description="What is mapped: a channel's state of an order or of a return to ours, or our "
    "name of a carrier to the channel's.",
)
strawberry.enum(PushOutcome, description="What became of one try to tell a channel something.")
strawberry.enum(Oversell, description="What is done when a channel sold more than there is.")
strawberry.enum(CircuitState, description="Whether a channel is talked to.")
strawberry.enum(ReportColumn, description="What a report may say of a unit.")
strawberry.enum(CountKind, name="CountKind", description="What a count found about one serial.")
strawberry.enum(
    Answer, name="CountAnswer", description="What a counter is told; a blind count says NOTED."
)
strawberry.enum(Topic, name="RuleTopic", description="What a rule decides about.")
strawberry.enum(Priority, description="How soon a piece of work is to be done.")
strawberry.enum(TaskKind, description="What is to be done with a unit.")
strawberry.enum(DispatchFinding, description="What the check of one serial found.")
strawberry.enum(
    Declaration,
    name="ErrorReason",
    description="What was wrong with an event, in the words of EPCIS 2.0.",
)
strawberry.enum(Law, name="ConservationLaw", description="What always holds.")
strawberry.enum(DeliveryState, description="Whether more is to come.")
strawberry.enum(SerializationOrder, description="What makes a product come first.")
strawberry.enum(
    Level,
    name="KitLevel",
    description="What a report counts: whole kits (SET), or what they are made of (COMPONENT).",
)
strawberry.enum(
    Resolution,
    name="RecallResolution",
    description="What was done about a recalled unit; REPAIRED and CLEARED make it free again.",
)
strawberry.enum(NoticeState, description="How far a message to a customer got.")
strawberry.enum(ReconciliationScope, name="ReconciliationScope", description="What a run compares.")
strawberry.enum(
    DifferenceKind, name="DifferenceKind", description="In what the two sides disagree."
)
strawberry.enum(Cause, name="DifferenceCause", description="Why, where it can be proved.")
strawberry.enum(Fix, name="DifferenceFix", description="What would bring them together.")
strawberry.enum(ReturnState, description="Where a return of a channel stands.")
strawberry.enum(ReturnDecision, description="What is answered; REFER: a person decides.")
strawberry.enum(ReturnFinding, description="What was noticed; it never changes: act on it.")
strawberry.enum(Route, name="ReturnRoute", description="What becomes of a unit that came back.")
strawberry.enum(Disposal, description="The final disposition of a unit.")
strawberry.enum(CostKind, description="What was paid for.")
strawberry.enum(By, name="ValuationBy", description="What a valuation is divided by.")
strawberry.enum(Criterion, name="TrackingCriterion", description="Why to follow a product.")
strawberry.enum(OwnerKind, description="Who owns a unit.")
strawberry.enum(CoverKind, description="What a cover is.")
strawberry.enum(CoverStatus, description="Where a cover stands on a day; UNKNOWN stays unknown.")
strawberry.enum(Entitled, description="Whether anything covers the unit.")
strawberry.enum(WorkKind, description="What kind of work was done.")
strawberry.enum(LabelFormat, description="How a label is drawn.")
strawberry.enum(Loss, description="What became of a unit that is not where it should be.")
strawberry.enum(Status, name="UnitStatus", description="Where a unit stands in its life.")
strawberry.enum(BizStep, description="GS1 CBV business step; allocating and releasing are ours.")
strawberry.enum(Disposition, description="GS1 CBV disposition.")
strawberry.enum(CaptureMethod, description="How a serial reached the ledger.")
strawberry.enum(HoldKind, description="Why a unit is held: promised (SALE), or blocked.")
strawberry.enum(OrderState, description="Where an order stands; FULFILLED: all its units left.")
strawberry.enum(Condition, name="UnitCondition", description="How worn a unit is.")
strawberry.enum(RecordOrigin, description="Where the record of a unit began.")
strawberry.enum(Audience, description="Who a serial is shown to.")
strawberry.enum(
    View,
    name="HistoryView",
    description="RECORDED: what was recorded, mistakes and all. CORRECTED: what is held true "
    "now. BOTH: what was recorded, with the corrections beside it.",
)
strawberry.enum(WarrantyStatus, description="What a manufacturer says; UNKNOWN stays unknown.")
strawberry.enum(EndpointState, name="WebhookState", description="Whether an address is told.")
strawberry.enum(Signature, name="WebhookSignature", description="How messages are signed.")
