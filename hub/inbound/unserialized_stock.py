"""Unserialized stock: quantities of units without a recorded serial, by product and location.

Serial tracking may start for a product with existing stock. That stock is counted separately: it is
not available until its serials are read, and its quantity only decreases.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub import catalogue
from hub.catalogue import LOT_TRACKED, Tracking
from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput, NotEnoughStock, UnknownReference
from hub.storage.paging import Filter, page_size
from hub.storage.rows import LocationRow, ProductRow, UnserializedStockRow
from hub.storage.sql import Row, Transaction
from hub.sync import listings

QUANTITY_MAX = 10_000_000  # of one product at one place
PLACES_MAX = 1_000  # in one command
PRODUCTS_MAX = 1_000
REASON_CHARS_MAX = 200
SKIP_MAX = 100_000

# How many traits a product has: JSON lists of words hold no other commas.
_TRAITS = (
    "CASE WHEN product.traits = '[]' THEN 0 ELSE 1 + LENGTH(product.traits) "
    "- LENGTH(REPLACE(product.traits, ',', '')) END"
)


class SerializationOrder(StrEnum):
    """What makes a product come first."""

    RISK = "risk"  # how many traits it has, then what one unit is worth
    VALUE = "value"  # what one unit is worth, then how many traits it has
    WORTH = "worth"  # what all of its unread units are worth together


@dataclass(frozen=True, slots=True, kw_only=True)
class UnserializedQuantity:
    """So many units of a product at a place, by codes."""

    sku: str
    location: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Which products are to be tracked from now on: those of a category, or of a value.

    `value_from` is in the smallest part of `currency`.
    """

    category: str | None = None
    value_from: int | None = None
    currency: str | None = None


def start(
    tx: Transaction, context: CommandContext, sku: str, stock: Sequence[UnserializedQuantity]
) -> list[str]:
    """Keep serials of one product from now on, and note what there is of it; return its SKU.

    For a product that is tracked since earlier it notes the stock of further places. Where it is
    known already, it can only become less: what comes new has its serial read at the dock.
    """
    product = catalogue.reference(tx, "product", "sku", sku)
    return _start(tx, context, [product], stock)


def start_phase(
    tx: Transaction, context: CommandContext, phase: Phase, stock: Sequence[UnserializedQuantity]
) -> list[str]:
    """Keep serials of all products of a category or value whose serials are not kept yet.

    Returns their SKUs. Raises InvalidInput where a phase names nothing, or too many products.
    """
    if phase.category is None and phase.value_from is None:
        raise InvalidInput("name a category or a value", field="category")
    if (phase.value_from is None) != (phase.currency is None):
        raise InvalidInput("a value has its currency", field="currency")
    wanted = Filter()
    wanted.add("category = :category", category=phase.category)
    wanted.add("value >= :value_from", value_from=phase.value_from)
    wanted.add("currency = :currency", currency=phase.currency)
    wanted.add("tracking IN (:untracked...)", untracked=[str(Tracking.NONE), str(Tracking.LOT)])
    products = tx.rows_as(
        ProductRow,
        f"SELECT * FROM product {wanted.where()}ORDER BY id LIMIT :limit",
        limit=PRODUCTS_MAX + 1,
        **wanted.values,
    )
    if len(products) > PRODUCTS_MAX:
        raise InvalidInput(f"at most {PRODUCTS_MAX} products in one phase", field="category")
    return _start(tx, context, products, stock)


def _start(
    tx: Transaction,
    context: CommandContext,
    products: Sequence[ProductRow],
    stock: Sequence[UnserializedQuantity],
) -> list[str]:
    if not 0 < len((context.reason or "").strip()) <= REASON_CHARS_MAX:
        raise InvalidInput(f"say why, in 1 to {REASON_CHARS_MAX} characters", field="reason")
    if len(stock) > PLACES_MAX:
        raise InvalidInput(f"at most {PLACES_MAX} places at once", field="stock")
    by_sku = {row["sku"]: row for row in products}
    for each in stock:
        if each.sku not in by_sku:
            raise UnknownReference(f"{each.sku!r} is not tracked by this", field="stock")
        if not 0 <= each.quantity <= QUANTITY_MAX:
            raise InvalidInput(f"a quantity is 0 to {QUANTITY_MAX}", field="quantity")
    ids = sorted(row["id"] for row in products)
    tx.rows("SELECT id FROM product WHERE id IN (:ids...) ORDER BY id FOR UPDATE", ids=ids)
    now = micros(context.now)
    for old, new in ((LOT_TRACKED, Tracking.SERIAL_LOT), (tuple(Tracking), Tracking.SERIAL)):
        tx.run(
            "UPDATE product SET tracked_since = :now, tracking = :tracking "
            "WHERE id IN (:ids...) AND tracked_since IS NULL AND tracking IN (:old...)",
            now=now,
            tracking=str(new),
            ids=ids,
            old=[str(each) for each in old],
        )
    _note(tx, context, by_sku, stock)
    listings.touch(tx, ids, context.now)
    return sorted(by_sku)


def _note(
    tx: Transaction,
    context: CommandContext,
    by_sku: dict[str, ProductRow],
    stock: Sequence[UnserializedQuantity],
) -> None:
    """Write how much there is at each place."""
    wanted: dict[tuple[str, str], UnserializedQuantity] = {}
    for each in stock:
        key = (by_sku[each.sku]["id"], catalogue.location(tx, each.location)["id"])
        if key in wanted:
            raise InvalidInput(f"{each.location} is named twice for {each.sku}", field="stock")
        wanted[key] = each
    known = {
        (row["product_id"], row["location_id"]): row["quantity"]
        for row in tx.rows(
            "SELECT product_id, location_id, quantity FROM unserialized_stock "
            "WHERE product_id IN (:ids...) ORDER BY id FOR UPDATE",
            ids=sorted({product_id for product_id, _ in wanted}),
        )
    }
    for key, each in sorted(wanted.items()):
        left = known.get(key)
        if left is not None and each.quantity > left:
            raise NotEnoughStock(
                f"only {left} of {each.sku} at {each.location} are without a serial: what came "
                "later is received with its serial",
                available=left,
            )
        tx.run(
            "INSERT INTO unserialized_stock(id, product_id, location_id, quantity, reason, "
            "changed_at) VALUES(:id, :product, :location, :quantity, :reason, :now) "
            "ON CONFLICT(product_id, location_id) DO UPDATE SET quantity = excluded.quantity, "
            "reason = excluded.reason, changed_at = excluded.changed_at",
            id=new_id(),
            product=key[0],
            location=key[1],
            quantity=each.quantity,
            reason=context.reason,
            now=micros(context.now),
        )


class StockRow(UnserializedStockRow):
    """Unserialized stock with the site and code of its location."""

    site_id: str
    code: str


class ListedStockRow(UnserializedStockRow):
    """Unserialized stock with its product and location."""

    sku: str
    name: str
    tracked_since: int | None
    code: str


class Shelf:
    """Unserialized stock of products, locked; taken units are written once.

    With `lock` False it is only looked at, as for a dry run.
    """

    def __init__(self, tx: Transaction, product_ids: Sequence[str], *, lock: bool = True) -> None:
        self._tx = tx
        rows = tx.rows_as(
            StockRow,
            "SELECT unserialized_stock.*, location.site_id, location.code FROM unserialized_stock "
            "JOIN location ON location.id = unserialized_stock.location_id "
            "WHERE unserialized_stock.product_id IN (:ids...) ORDER BY unserialized_stock.id"
            + (" FOR UPDATE OF unserialized_stock" if lock else ""),
            ids=sorted(set(product_ids)),
        )
        self._rows: dict[str, list[StockRow]] = {}
        for row in rows:
            self._rows.setdefault(row["product_id"], []).append(row)
        self._taken: dict[str, int] = {}
        self._spent: dict[str, int] = {}  # before, in a dry run

    def spend(self, taken: dict[str, int]) -> None:
        """Count as gone what was taken before, in a dry run, by the rows' ids."""
        for row_id, quantity in taken.items():
            self._spent[row_id] = self._spent.get(row_id, 0) + quantity

    def _left(self, row: StockRow) -> int:
        gone = self._taken.get(row["id"], 0) + self._spent.get(row["id"], 0)
        return row["quantity"] - gone

    def find(
        self, product_id: str, place: LocationRow | None = None, site: str | None = None
    ) -> StockRow:
        """Return the stock that a unit is taken from: that of its place, else of its site.

        Raises NotEnoughStock if there is none, InvalidInput if several places have some and none
        is named.
        """
        rows = [row for row in self._rows.get(product_id, []) if self._left(row) > 0]
        here = [row for row in rows if place and row["location_id"] == place["id"]]
        building = place["site_id"] if place else site
        if here:
            return here[0]
        if building is not None:
            rows = [row for row in rows if row["site_id"] == building]
        if not rows:
            where = f" at {place['code']}" if place else ""
            raise NotEnoughStock(f"no unit without a serial is left{where}", available=0)
        if len(rows) > 1 and place is None:
            codes = ", ".join(sorted(row["code"] for row in rows))
            raise InvalidInput(f"say where it is: {codes} have some", field="at")
        return rows[0]

    def take(self, row: StockRow) -> None:
        """Take one unit."""
        self._taken[row["id"]] = self._taken.get(row["id"], 0) + 1

    @property
    def taken(self) -> dict[str, int]:
        """Return how many were taken, by the rows' ids."""
        return self._taken

    def write(self, context: CommandContext) -> None:
        """Write what is left."""
        self._tx.run_many(
            "UPDATE unserialized_stock SET quantity = quantity - :taken, changed_at = :now "
            "WHERE id = :id",
            [
                {"id": row_id, "taken": taken, "now": micros(context.now)}
                for row_id, taken in sorted(self._taken.items())
            ],
        )


def listed(
    tx: Transaction,
    *,
    first: int,
    after: str | None,
    sku: str | None = None,
    location: str | None = None,
) -> list[ListedStockRow]:
    """Return unserialized stock by product and location, up to `first` plus one."""
    wanted = Filter()
    wanted.add("unserialized_stock.id > :after", after=after)
    wanted.add("product.sku = :sku", sku=sku)
    wanted.add("location.code = :location", location=location)
    return tx.rows_as(
        ListedStockRow,
        "SELECT unserialized_stock.*, product.sku, product.name, product.tracked_since, "
        "location.code FROM unserialized_stock "
        "JOIN product ON product.id = unserialized_stock.product_id "
        "JOIN location ON location.id = unserialized_stock.location_id "
        f"{wanted.where()}ORDER BY unserialized_stock.id LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def priorities(tx: Transaction, by: SerializationOrder, *, first: int, skip: int = 0) -> list[Row]:
    """Return products whose serials are still to be read, the most urgent first.

    Includes products with unserialized stock and products that are not tracked by serial.
    """
    if not 0 <= skip <= SKIP_MAX:
        raise InvalidInput(f"skip is 0 to {SKIP_MAX}", field="skip")
    order = {
        SerializationOrder.RISK: "risk DESC, worth_of_one DESC",
        SerializationOrder.VALUE: "worth_of_one DESC, risk DESC",
        SerializationOrder.WORTH: "worth_of_one * unread DESC, risk DESC",
    }[by]
    return tx.rows(
        "SELECT * FROM (SELECT product.sku, product.name, product.category, product.value, "
        "product.currency, product.traits, product.tracked_since, product.tracking, "
        f"{_TRAITS} AS risk, COALESCE(product.value, 0) AS worth_of_one, "
        "COALESCE(stock.unread, 0) AS unread FROM product "
        "LEFT JOIN (SELECT product_id, SUM(quantity) AS unread FROM unserialized_stock "
        "GROUP BY product_id) AS stock ON stock.product_id = product.id "
        "WHERE product.tracking IN (:untracked...) OR stock.unread > 0) AS ranked "
        f"ORDER BY {order}, sku LIMIT :limit OFFSET :skip",
        untracked=[str(Tracking.NONE), str(Tracking.LOT)],
        limit=page_size(first),
        skip=skip,
    )
