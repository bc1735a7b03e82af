"""The schema: the roots, put together from their subjects."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from hub_api.administration import AdministrationMutation, AdministrationQuery
from hub_api.alternatives import AlternativeMutation, AlternativeQuery
from hub_api.availability import AvailabilityMutation, AvailabilityQuery
from hub_api.capture import CaptureMutation, CaptureQuery
from hub_api.case_rules import CaseRuleMutation, CaseRuleQuery
from hub_api.cases import CaseMutation, CaseQuery
from hub_api.catalogue import CatalogueMutation, CatalogueQuery
from hub_api.channel_returns import ChannelReturnQuery
from hub_api.channels import ChannelMutation, ChannelQuery
from hub_api.claims import ClaimMutation, ClaimQuery
from hub_api.clients import ClientMutation, ClientQuery
from hub_api.costs import Amount, AmountValue, CostMutation, CostQuery
from hub_api.counts import CountMutation, CountQuery
from hub_api.deliveries import DeliveryMutation, DeliveryQuery
from hub_api.devices import DeviceQuery
from hub_api.failures import FailureMutation
from hub_api.fulfillment import FulfillmentMutation, FulfillmentQuery
from hub_api.history import HistoryMutation, HistoryQuery
from hub_api.imports import ImportQuery
from hub_api.kits import KitMutation, KitQuery
from hub_api.licenses import LicenseMutation, LicenseQuery
from hub_api.losses import LossMutation
from hub_api.mappings import MappingMutation, MappingQuery
from hub_api.movements import UnitCommandMutation
from hub_api.naming import AdviceQuery, NamingMutation
from hub_api.orders import OrderMutation, OrderQuery
from hub_api.owners import OwnerMutation, OwnerQuery
from hub_api.people import PersonMutation, PersonQuery
from hub_api.policies import PolicyMutation, PolicyQuery
from hub_api.problems import HANDLERS, TYPES
from hub_api.proof import ProofQuery
from hub_api.pushes import PushQuery
from hub_api.recalls import RecallMutation, RecallQuery
from hub_api.reconciliation import ReconciliationMutation, ReconciliationQuery
from hub_api.retrofit import SerializationMutation, SerializationQuery
from hub_api.returns import ReturnMutation, ReturnQuery
from hub_api.service import ServiceMutation
from hub_api.subscriptions import Subscription
from hub_api.unit_queries import UnitQuery
from hub_api.webhook_commands import WebhookMutation
from hub_api.webhook_endpoints import WebhookQuery
from hub_api.work import WorkMutation, WorkQuery


@strawberry.type(description="Questions. None of them changes anything.")
class Query(
    UnitQuery,
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
    FulfillmentQuery,
    WorkQuery,
    ChannelQuery,
    PushQuery,
    AvailabilityQuery,
    CaseQuery,
    CaseRuleQuery,
    ReconciliationQuery,
    ProofQuery,
    HistoryQuery,
    ReturnQuery,
    ChannelReturnQuery,
    RecallQuery,
    PersonQuery,
    SerializationQuery,
    ImportQuery,
    ClaimQuery,
    PolicyQuery,
    DeliveryQuery,
    AdviceQuery,
    DeviceQuery,
    WebhookQuery,
    AdministrationQuery,
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
    DeliveryMutation,
    FailureMutation,
    NamingMutation,
    WebhookMutation,
    AdministrationMutation,
):
    """Commands."""


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=list(TYPES.values()),
    exception_handlers=HANDLERS,
    config=StrawberryConfig(disable_field_suggestions=True, scalar_map={AmountValue: Amount}),
)
