"""Advice: further names of units, linked and retired; advice which products to follow by serial."""

import strawberry

from hub.access.keys import Scope
from hub.catalogue import tracking_advice as advice
from hub.catalogue.tracking_advice import Advice, Criterion
from hub_api.catalogue.types import Product
from hub_api.common.context import Info
from hub_api.engine.stored import each


@strawberry.type(description="Whether a product should be followed by serial.")
class TrackingAdvice:
    product: Product
    recommended: bool
    criteria: list[Criterion] = strawberry.field(
        description="Criteria that recommend tracking.", metadata={"size": 7}
    )
    followed: bool = strawberry.field(description="Whether its tracking does what is advised.")

    @classmethod
    def of(cls, advised: Advice) -> "TrackingAdvice":
        """Show advice."""
        return cls(
            product=Product.of(advised.product),
            recommended=advised.recommended,
            criteria=list(advised.criteria),
            followed=advised.followed,
        )


@strawberry.type
class AdviceQuery:
    """Reading advice."""

    @strawberry.field(
        description="Which products should be followed by serial, by value, warranty, law, theft, "
        "counterfeit, service and recall; and whether they are."
    )
    async def tracking_advice(
        self,
        info: Info,
        skus: list[str],
        value_above: int = advice.VALUE_ABOVE,
        currency: str | None = None,
    ) -> list[TrackingAdvice]:
        """Advise; `valueAbove` is in the smallest part of the currency, else of each own's."""
        info.context.require(Scope.OPS)
        found = await info.context.read(
            lambda tx: advice.advise(tx, skus, value_above=value_above, currency=currency)
        )
        return each(TrackingAdvice.of, found)
