"""What the types share whose records are asked for by their id alone."""

import strawberry


@strawberry.interface(
    description="A record that `node` finds by its id. No two records have the same id, whatever "
    "their types: a cache may keep each under its id alone."
)
class Node:
    id: strawberry.ID = strawberry.field(description="The record's own id.")
