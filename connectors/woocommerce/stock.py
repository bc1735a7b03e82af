"""Set quantities of a WooCommerce shop: read, compare, then one batch for each parent."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import identity, nodes_of
from connectors.unreadable import Unreadable
from connectors.woocommerce.mapping import (
    PRODUCTS,
    expect_list,
    expect_object,
    parse_item_error,
    parse_quantity,
)
from hub.vocabulary import StockLevel

BATCH_MAX = 100  # of WooCommerce: objects in one batch, and entries in one page


async def push_levels(api: RemoteApi, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    """Set levels by their shelf: products share one, the variations of each parent another."""
    shelves: dict[str, list[StockLevel]] = defaultdict(list)
    answers = list[PushedLevel]()
    for level in levels:
        if _id(level).isdecimal():
            shelves[_shelf(level)].append(level)
        else:  # one such id would spoil the whole call
            error = NotFound(f"{_id(level)} is no id of a product")
            answers.append(PushedLevel(level.listing, error=error))
    for path, on_it in shelves.items():
        for start in range(0, len(on_it), BATCH_MAX):
            answers.extend(await _push(api, path, on_it[start : start + BATCH_MAX]))
    return answers


def _shelf(level: StockLevel) -> str:
    if level.remote.get("variation_id"):
        return f"/products/{level.remote['product_id']}/variations"
    return "/products"


def _id(level: StockLevel) -> str:
    return level.remote.get("variation_id") or level.remote["product_id"]


async def _push(api: RemoteApi, path: str, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    try:
        shown = await _shown(api, path, [_id(level) for level in levels])
    except NotFound as gone:  # the parent
        return [PushedLevel(level.listing, error=gone) for level in levels]
    answers, wanted = list[PushedLevel](), list[StockLevel]()
    for level in levels:
        if isinstance(present := shown.get(_id(level)), Unreadable):
            answers.append(PushedLevel(level.listing, error=present))
        elif _id(level) not in shown:
            error = NotFound(f"the shop has no {path.lstrip('/')} {_id(level)}")
            answers.append(PushedLevel(level.listing, error=error))
        elif present is None:
            answers.append(PushedLevel(level.listing, error=_not_counted(path, _id(level))))
        elif present == level.available:
            answers.append(PushedLevel(level.listing, present))
        elif level.expected is not None and level.expected != present:
            moved = Conflict("the quantity has changed", observed=present)
            answers.append(PushedLevel(level.listing, error=moved))
        else:
            wanted.append(level)
    return [*answers, *await _set(api, path, wanted)]


def _not_counted(path: str, ref: str) -> Rejected:
    """Refuse a level of a product whose stock the shop leaves to its parent, or does not count."""
    return Rejected(
        f"the shop does not count the stock of {path.lstrip('/')} {ref}, or leaves it to the "
        "parent (manage_stock): switch it on there, or take the listing off this channel"
    )


async def _shown(
    api: RemoteApi, path: str, ids: Sequence[str]
) -> dict[str, int | Unreadable | None]:
    params = {
        "include": ",".join(ids),
        "per_page": BATCH_MAX,
        "_fields": "id,manage_stock,stock_quantity",
    }
    found = nodes_of(await api.json("GET", path, params=params))
    return PRODUCTS.keyed(found, lambda each: (identity(each, "id"), parse_quantity(each)))


async def _set(api: RemoteApi, path: str, levels: Sequence[StockLevel]) -> list[PushedLevel]:
    """Set quantities in one batch; with status 200, single items may still be refused."""
    if not levels:
        return []
    wanted = [{"id": int(_id(level)), "stock_quantity": level.available} for level in levels]
    # Absolute, and compared before: to repeat it at once is safe.
    answer = await api.json("POST", f"{path}/batch", json={"update": wanted}, repeat=True)
    done = {str(each.get("id")): each for each in expect_list(expect_object(answer).get("update"))}
    return [_answer_for(level, done.get(_id(level))) for level in levels]


def _answer_for(level: StockLevel, item: Mapping[str, Any] | None) -> PushedLevel:
    if item is None:
        missing = NotFound(f"the batch says nothing of {_id(level)}")
        return PushedLevel(level.listing, error=missing)
    refusal = parse_item_error(item)
    if refusal is not None:
        return PushedLevel(level.listing, error=refusal)
    shown = parse_quantity(item)
    return PushedLevel(level.listing, level.available if shown is None else shown)
