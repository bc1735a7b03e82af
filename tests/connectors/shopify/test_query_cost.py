"""What a query may cost at Shopify: a thousand points, whatever the shop holds."""

from graphql import FieldNode, FragmentSpreadNode, IntValueNode, VariableNode, parse
from graphql.language import DocumentNode, FragmentDefinitionNode, SelectionSetNode

from connectors.shopify import documents

POINTS_MAX = 1000


def cost(document: str, **variables: int) -> int:
    """Add up a document: a point for each object, times the sizes of the lists around it."""
    parsed = parse(document)
    parts = {
        each.name.value: each.selection_set
        for each in parsed.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    return _of(_operation(parsed), parts, variables)


def _operation(document: DocumentNode) -> SelectionSetNode:
    found = [each for each in document.definitions if not isinstance(each, FragmentDefinitionNode)]
    selections: SelectionSetNode = found[0].selection_set  # type: ignore[attr-defined]
    return selections


def _of(
    selected: SelectionSetNode, parts: dict[str, SelectionSetNode], variables: dict[str, int]
) -> int:
    total = 0
    for each in selected.selections:
        if isinstance(each, FragmentSpreadNode):
            total += _of(parts[each.name.value], parts, variables)
        elif isinstance(each, FieldNode) and each.selection_set is not None:
            inside = _of(each.selection_set, parts, variables)
            plain = each.name.value in ("nodes", "edges", "pageInfo")
            total += _size(each, variables) * ((0 if plain else 1) + inside)
    return total


def _size(field: FieldNode, variables: dict[str, int]) -> int:
    for argument in field.arguments or ():
        if argument.name.value == "first":
            value = argument.value
            if isinstance(value, VariableNode):
                return variables[value.name.value]
            assert isinstance(value, IntValueNode)
            return int(value.value)
    return 1


def test_a_page_of_orders_stays_within_the_points_of_one_query() -> None:
    page = cost(documents.ORDERS, first=documents.ORDERS_PER_PAGE, lines=documents.LINES_PER_PAGE)
    assert 500 < page <= POINTS_MAX


def test_the_lines_of_one_order_stay_within_the_points_of_one_query() -> None:
    for document in (documents.ORDER, documents.LINES):
        assert cost(document, lines=documents.MORE_LINES) <= POINTS_MAX
