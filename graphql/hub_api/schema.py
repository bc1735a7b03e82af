"""The schema: the roots, put together from their subjects."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from hub_api.administration import AdministrationMutation, AdministrationQuery
from hub_api.capture import CaptureMutation, CaptureQuery
from hub_api.cases import CaseMutation, CaseQuery
from hub_api.catalogue import CatalogueMutation, CatalogueQuery
from hub_api.channels import ChannelMutation, ChannelQuery
from hub_api.history import HistoryMutation, HistoryQuery
from hub_api.movements import MovementMutation
from hub_api.orders import OrderQuery
from hub_api.problems import HANDLERS, TYPES
from hub_api.proof import ProofQuery
from hub_api.reconciliation import ReconciliationMutation, ReconciliationQuery
from hub_api.subscriptions import Subscription
from hub_api.units import UnitQuery


@strawberry.type(description="Questions. None of them changes anything.")
class Query(
    UnitQuery,
    CaptureQuery,
    CatalogueQuery,
    OrderQuery,
    ChannelQuery,
    CaseQuery,
    ReconciliationQuery,
    ProofQuery,
    HistoryQuery,
    AdministrationQuery,
):
    """Questions."""


@strawberry.type(description="Commands. Each answers with its result or with a problem.")
class Mutation(
    MovementMutation,
    HistoryMutation,
    CaptureMutation,
    CatalogueMutation,
    ChannelMutation,
    CaseMutation,
    ReconciliationMutation,
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
