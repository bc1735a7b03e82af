"""The schema: the roots, put together from their subjects."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from hub_api.administration.approvals import ApprovalMutation, ApprovalQuery
from hub_api.administration.mutations import AdministrationMutation
from hub_api.administration.proof import ProofQuery
from hub_api.administration.queries import AdministrationQuery
from hub_api.after_sales.claim_mutations import ClaimMutation
from hub_api.after_sales.claim_queries import ClaimQuery
from hub_api.after_sales.service_mutations import ServiceMutation
from hub_api.availability.mutations import AvailabilityMutation
from hub_api.availability.queries import AvailabilityQuery
from hub_api.capture.failure_mutations import FailureMutation
from hub_api.capture.mutations import CaptureMutation
from hub_api.capture.queries import CaptureQuery
from hub_api.cases.mutations import CaseMutation
from hub_api.cases.queries import CaseQuery
from hub_api.cases.rule_mutations import CaseRuleMutation
from hub_api.cases.rule_queries import CaseRuleQuery
from hub_api.catalogue.alternatives import AlternativeMutation, AlternativeQuery
from hub_api.catalogue.medical_devices import DeviceQuery
from hub_api.catalogue.mutations import CatalogueMutation
from hub_api.catalogue.queries import CatalogueQuery
from hub_api.catalogue.tracking_advice import AdviceQuery
from hub_api.channels.mappings import MappingMutation, MappingQuery
from hub_api.channels.mutations import ChannelMutation
from hub_api.channels.push_log import PushQuery
from hub_api.channels.queries import ChannelQuery
from hub_api.clients.mutations import ClientMutation
from hub_api.clients.queries import ClientQuery
from hub_api.common.long_work import convert_beside
from hub_api.common.problems import HANDLERS, TYPES
from hub_api.common.times import require_zones
from hub_api.counts.mutations import CountMutation
from hub_api.counts.queries import CountQuery
from hub_api.decision_rules.mutations import PolicyMutation
from hub_api.decision_rules.queries import PolicyQuery
from hub_api.descriptions import describe
from hub_api.engine.tolerance import TolerantExecutor, within_int
from hub_api.fulfillment.mutations import FulfillmentMutation
from hub_api.fulfillment.queries import FulfillmentQuery
from hub_api.fulfillment.task_mutations import WorkMutation
from hub_api.fulfillment.task_queries import WorkQuery
from hub_api.history.mutations import HistoryMutation
from hub_api.history.queries import HistoryQuery
from hub_api.imports.mutations import ImportMutation
from hub_api.imports.queries import ImportQuery
from hub_api.inbound.ship_notice_mutations import ShipNoticeMutation
from hub_api.inbound.ship_notice_queries import ShipNoticeQuery
from hub_api.inbound.unserialized_mutations import SerializationMutation
from hub_api.inbound.unserialized_queries import SerializationQuery
from hub_api.kits.mutations import KitMutation
from hub_api.kits.queries import KitQuery
from hub_api.nodes.queries import NodeQuery
from hub_api.orders.direct_orders import DirectOrderMutation
from hub_api.orders.mutations import OrderMutation
from hub_api.orders.queries import OrderQuery
from hub_api.public.mutations import PublicMutation
from hub_api.public.queries import PublicQuery
from hub_api.recalls.contact_mutations import PersonMutation
from hub_api.recalls.contact_queries import PersonQuery
from hub_api.recalls.mutations import RecallMutation
from hub_api.recalls.queries import RecallQuery
from hub_api.reconciliation.mutations import ReconciliationMutation
from hub_api.reconciliation.queries import ReconciliationQuery
from hub_api.reconciliation.schedules import ScheduleMutation, ScheduleQuery
from hub_api.reconciliation.service_levels import ServiceLevelMutation, ServiceLevelQuery
from hub_api.returns.channel_returns import ChannelReturnQuery
from hub_api.returns.mutations import ReturnMutation
from hub_api.returns.queries import ReturnQuery
from hub_api.returns.refunds import RefundMutation, RefundQuery
from hub_api.storefront.mutations import StorefrontMutation
from hub_api.storefront.queries import StorefrontQuery
from hub_api.storefront.subscriptions import StockSubscription
from hub_api.unit_records.cost_mutations import CostMutation
from hub_api.unit_records.cost_queries import CostQuery
from hub_api.unit_records.cost_types import Amount, AmountValue
from hub_api.unit_records.identifier_mutations import NamingMutation
from hub_api.unit_records.license_mutations import LicenseMutation
from hub_api.unit_records.license_queries import LicenseQuery
from hub_api.unit_records.owner_mutations import OwnerMutation
from hub_api.unit_records.owner_queries import OwnerQuery
from hub_api.units.losses import LossMutation
from hub_api.units.mutations import UnitCommandMutation
from hub_api.units.queries import UnitQuery
from hub_api.units.subscriptions import EventQuery, EventSubscription
from hub_api.webhooks.mutations import WebhookMutation
from hub_api.webhooks.queries import WebhookQuery


@strawberry.type(description="Questions. None of them changes anything.")
class Query(
    NodeQuery,
    UnitQuery,
    EventQuery,
    KitQuery,
    ClientQuery,
    CostQuery,
    OwnerQuery,
    LicenseQuery,
    CountQuery,
    CaptureQuery,
    CatalogueQuery,
    AlternativeQuery,
    MappingQuery,
    OrderQuery,
    StorefrontQuery,
    FulfillmentQuery,
    WorkQuery,
    ChannelQuery,
    PushQuery,
    AvailabilityQuery,
    CaseQuery,
    CaseRuleQuery,
    ReconciliationQuery,
    ScheduleQuery,
    ServiceLevelQuery,
    ProofQuery,
    HistoryQuery,
    ReturnQuery,
    ChannelReturnQuery,
    RefundQuery,
    RecallQuery,
    PersonQuery,
    SerializationQuery,
    ImportQuery,
    ClaimQuery,
    PolicyQuery,
    ShipNoticeQuery,
    AdviceQuery,
    DeviceQuery,
    WebhookQuery,
    PublicQuery,
    AdministrationQuery,
    ApprovalQuery,
):
    """Questions."""


@strawberry.type(description="Commands. Each answers with its result or with a problem.")
class Mutation(
    UnitCommandMutation,
    FulfillmentMutation,
    WorkMutation,
    LossMutation,
    CostMutation,
    OwnerMutation,
    LicenseMutation,
    KitMutation,
    ClientMutation,
    CountMutation,
    HistoryMutation,
    ReturnMutation,
    RefundMutation,
    DirectOrderMutation,
    StorefrontMutation,
    OrderMutation,
    RecallMutation,
    PersonMutation,
    SerializationMutation,
    ServiceMutation,
    ClaimMutation,
    PolicyMutation,
    CaptureMutation,
    CatalogueMutation,
    ChannelMutation,
    AlternativeMutation,
    MappingMutation,
    AvailabilityMutation,
    CaseMutation,
    CaseRuleMutation,
    ReconciliationMutation,
    ScheduleMutation,
    ServiceLevelMutation,
    ShipNoticeMutation,
    FailureMutation,
    ImportMutation,
    NamingMutation,
    WebhookMutation,
    PublicMutation,
    AdministrationMutation,
    ApprovalMutation,
):
    """Commands."""


@strawberry.type(description="Streams: what happens, as it happens.")
class Subscription(EventSubscription, StockSubscription):
    """Streams."""


schema = within_int(
    convert_beside(
        require_zones(
            describe(
                strawberry.Schema(
                    query=Query,
                    mutation=Mutation,
                    subscription=Subscription,
                    types=list(TYPES.values()),
                    exception_handlers=HANDLERS,
                    execution_context_class=TolerantExecutor,
                    config=StrawberryConfig(
                        disable_field_suggestions=True, scalar_map={AmountValue: Amount}
                    ),
                )
            )
        )
    )
)
