"""Pages in the style of Relay: edges with cursors, and whether there is more."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import strawberry

from hub.errors import InvalidInput
from hub.identifiers.numbers import is_id
from hub_api.engine.stored import each

Node = TypeVar("Node")
RowT = TypeVar("RowT", bound=Mapping[str, Any])


@strawberry.type(description="Where a page ends.")
class PageInfo:
    has_next_page: bool
    end_cursor: str | None
    has_previous_page: bool
    start_cursor: str | None


@strawberry.type
class Edge(Generic[Node]):
    """One item and the cursor that stands behind it."""

    node: Node
    cursor: str


@strawberry.type
class Connection(Generic[Node]):
    """One page."""

    edges: list[Edge[Node]]
    page_info: PageInfo

    @strawberry.field(description="Items of `edges`, without their cursors.")
    def nodes(self) -> list[Node]:
        return [edge.node for edge in self.edges]


def page(
    rows: Sequence[RowT], first: int, after: str | None, make: Callable[[RowT], Node]
) -> Connection[Node]:
    """Make a page of rows, of which one more than `first` was read."""
    shown = rows[:first]
    edges = each(lambda row: Edge(node=make(row), cursor=cursor(str(row["id"]))), shown)
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=len(rows) > first,
            end_cursor=cursor(str(shown[-1]["id"])) if shown else None,
            has_previous_page=after is not None,
            start_cursor=cursor(str(shown[0]["id"])) if shown else None,
        ),
    )


def cursor(row_id: str) -> str:
    """Return what stands behind a row."""
    return base64.urlsafe_b64encode(row_id.encode()).decode()


def position(given: str | None) -> str | None:
    """Read a cursor, or refuse one that is not ours; an empty one is the beginning."""
    if not given:
        return None
    try:
        row_id = base64.b64decode(given, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        row_id = ""
    if not is_id(row_id):
        raise InvalidInput("this is no cursor of this list", field="after")
    return row_id
