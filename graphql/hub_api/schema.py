"""The schema: the roots, put together from their subjects."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from hub_api.administration import AdministrationMutation, AdministrationQuery
from hub_api.capture import CaptureMutation, CaptureQuery
from hub_api.cases import CaseMutation, CaseQuery
from hub_api.catalogue import CatalogueMutation, CatalogueQuery
from hub_api.channels import ChannelMutation, ChannelQuery
from hub_api.claims import ClaimMutation, ClaimQuery
from hub_api.counts import CountMutation, CountQuery
from hub_api.deliveries import DeliveryMutation, DeliveryQuery
from hub_api.failures import FailureMutation
from hub_api.history import HistoryMutation, HistoryQuery
from hub_api.kits import KitMutation, KitQuery
from hub_api.movements import MovementMutation
from hub_api.naming import AdviceQuery, NamingMutation
from hub_api.orders import OrderQuery
from hub_api.policies import PolicyMutation, PolicyQuery
from hub_api.problems import HANDLERS, TYPES
from hub_api.proof import ProofQuery
from hub_api.reconciliation import ReconciliationMutation, ReconciliationQuery
from hub_api.returns import ReturnMutation, ReturnQuery
from hub_api.service import ServiceMutation
from hub_api.subscriptions import Subscription
from hub_api.units import UnitQuery


@strawberry.type(description="Questions. None of them changes anything.")
class Query(
    UnitQuery,
    KitQuery,
    CountQuery,
    CaptureQuery,
    CatalogueQuery,
    OrderQuery,
    ChannelQuery,
    CaseQuery,
    ReconciliationQuery,
    ProofQuery,
    HistoryQuery,
    ReturnQuery,
    ClaimQuery,
    PolicyQuery,
    DeliveryQuery,
    AdviceQuery,
    AdministrationQuery,
):
    """Questions."""


@strawberry.type(description="Commands. Each answers with its result or with a problem.")
class Mutation(
    MovementMutation,
    KitMutation,
    CountMutation,
    HistoryMutation,
    ReturnMutation,
    ServiceMutation,
    ClaimMutation,
    PolicyMutation,
    CaptureMutation,
    CatalogueMutation,
    ChannelMutation,
    CaseMutation,
    ReconciliationMutation,
    DeliveryMutation,
    FailureMutation,
    NamingMutation,
    AdministrationMutation,
):
    """Commands."""


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=list(TYPES.values()),
    exception_handlers=HANDLERS,
    config=StrawberryConfig(disable_field_suggestions=True),
)
