"""The GraphQL API of the hub, and everything else that speaks HTTP inwards."""

# Strawberry names an enum when it first meets it: all of them have their names before that.
from hub_api.common import enums

__all__ = ["enums"]
