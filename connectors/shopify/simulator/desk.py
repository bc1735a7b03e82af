"""Returns, refunds and exchanges of the simulator of Shopify, as a person enters them."""

from collections.abc import Mapping

from connectors.shopify.simulator.shop import Refunded, ReturnedGoods, Shop


class Desk(Shop):
    """A shop where goods are brought back. Quantities are by line id."""

    def open_return(
        self,
        order_id: str,
        quantities: Mapping[str, int],
        *,
        reason: str = "",
        status: str = "OPEN",
        exchange_for: str | None = None,
    ) -> str:
        """Agree to a return; `exchange_for` adds a unit of another SKU to the order instead."""
        order = self.orders[order_id]
        goods = ReturnedGoods(
            f"gid://shopify/Return/{self.next_id()}", status, dict(quantities), reason
        )
        if exchange_for is not None:
            goods.exchange_lines.append(self.add_line(order_id, exchange_for))
        order.returns.append(goods)
        self.touch(order, "returns/approve")
        return goods.id

    def set_return_status(self, order_id: str, return_id: str, status: str) -> None:
        """Close, decline or withdraw a return."""
        order = self.orders[order_id]
        next(each for each in order.returns if each.id == return_id).status = status
        self.touch(order, "returns/update")

    def process_return(self, order_id: str, return_id: str) -> None:
        """Take the goods of a return in, without a refund."""
        order = self.orders[order_id]
        goods = next(each for each in order.returns if each.id == return_id)
        goods.processed = dict(goods.quantities)
        self.touch(order, "returns/process")

    def refund(
        self,
        order_id: str,
        quantities: Mapping[str, int],
        restock_type: str = "RETURN",
        *,
        return_id: str | None = None,
        note: str = "",
        amount: str = "0.00",
    ) -> str:
        """Pay back; the lines go down by it. Returns the refund's id."""
        order = self.orders[order_id]
        for line in order.lines:
            units = quantities.get(line.id, 0)
            line.current -= units
            open_units = line.current + units - line.fulfilled
            if restock_type != "CANCEL" and open_units < line.current + units:
                line.fulfilled -= min(units, line.fulfilled)
            if restock_type != "NO_RESTOCK" and return_id is None:
                self._item(line.sku).available += units
        refund_id = f"gid://shopify/Refund/{self.next_id()}"
        paid = Refunded(
            refund_id, self.now(), dict(quantities), restock_type, note, return_id, amount
        )
        order.refunds.append(paid)
        for goods in (each for each in order.returns if each.id == return_id):
            for line_id, units in quantities.items():
                goods.refunded[line_id] = goods.refunded.get(line_id, 0) + units
        self.touch(order, "refunds/create")
        return refund_id
