"""What a shop sees: stock in bands, reservations of carts, the status of an order."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import strawberry

from hub.clock import moment
from hub.ledger.arrivals import Condition
from hub.storefront import order_status
from hub.storefront.addresses import Address
from hub.storefront.carts import CartLine, HeldUnit
from hub.storefront.order_status import Progress
from hub.storefront.stock import Band
from hub.vocabulary import Contact
from hub_api.common.problems import Problem, problem


@strawberry.input(description="A quantity of one SKU for a cart.")
class CartLineInput:
    sku: str = strawberry.field(description="Our SKU.")
    quantity: int = strawberry.field(description="Number of units, 1 to 1,000.")
    site: str | None = strawberry.field(
        description="Code of the site where they must be; null: any site.", default=None
    )
    condition: Condition | None = strawberry.field(
        description="Condition that they must have; null: NEW where the shop sells it.",
        default=None,
    )

    def plain(self) -> CartLine:
        """Return the line for the hub."""
        condition = None if self.condition is None else str(self.condition)
        return CartLine(sku=self.sku, quantity=self.quantity, site=self.site, condition=condition)


@strawberry.input(description="How to reach a buyer; it is stored encrypted, apart from the order.")
class ContactInput:
    name: str = strawberry.field(description="Name of the person.", default="")
    email: str | None = strawberry.field(description="E-mail address.", default=None)
    phone: str | None = strawberry.field(
        description="Telephone number as +4930123456 (E.164).", default=None
    )
    language: str = strawberry.field(description="Language as de or pt-BR.", default="en")

    def plain(self) -> Contact:
        """Return the contact for the hub."""
        return Contact(name=self.name, email=self.email, phone=self.phone, language=self.language)


@strawberry.input(description="Where an order goes; it is stored encrypted, beside the order.")
class AddressInput:
    name: str = strawberry.field(description="Name of the recipient.")
    lines: list[str] = strawberry.field(description="Street and house, 1 to 4 lines.")
    city: str = strawberry.field(description="Town or city.")
    country: str = strawberry.field(description="ISO 3166-1 code such as DE.")
    postal_code: str = strawberry.field(
        description="Postal code as its country writes it.", default=""
    )
    region: str = strawberry.field(description="State or province.", default="")

    def plain(self) -> Address:
        """Return the address for the hub."""
        return Address(
            name=self.name,
            lines=self.lines,
            city=self.city,
            country=self.country,
            postal_code=self.postal_code,
            region=self.region,
        )


@strawberry.type(description="Units of one SKU, site and condition that a cart has reserved.")
class ReservedLine:
    sku: str = strawberry.field(description="Our SKU.")
    quantity: int = strawberry.field(description="Number of units.")
    site: str = strawberry.field(description="Code of the site where they are.")
    condition: Condition = strawberry.field(description="Condition of the units.")
    expires_at: datetime = strawberry.field(description="When their reservation ends.")


@strawberry.type(description="Units that are reserved for a cart now.")
class Reservation:
    cart: str = strawberry.field(description="Name of the cart.")
    expires_at: datetime = strawberry.field(
        description="When the first of its units is free again, unless it is extended."
    )
    ttl_seconds: int = strawberry.field(description="Whole seconds left until then.")
    lines: list[ReservedLine] = strawberry.field(
        description="Its units, by SKU, site and condition.", metadata={"size": 5}
    )

    @classmethod
    def of(cls, cart: str, units: Sequence[HeldUnit], now: datetime) -> "Reservation | None":
        """Show what is reserved; None where nothing is."""
        if not units:
            return None
        lines: dict[tuple[str, str, str, int], int] = {}
        for unit in units:
            key = (unit["sku"], unit["site"], unit["condition"], unit["expires_at"])
            lines[key] = lines.get(key, 0) + 1
        ends = moment(min(unit["expires_at"] for unit in units))
        return cls(
            cart=cart,
            expires_at=ends,
            ttl_seconds=max(0, int((ends - now).total_seconds())),
            lines=[
                ReservedLine(
                    sku=sku,
                    quantity=quantity,
                    site=site,
                    condition=Condition(condition),
                    expires_at=moment(expires_at),
                )
                for (sku, site, condition, expires_at), quantity in lines.items()
            ],
        )


@strawberry.type(description="Result of one line that a cart asked for.")
class CartLineResult:
    sku: str = strawberry.field(description="Our SKU.")
    requested: int = strawberry.field(description="Number of units asked for.")
    reserved: int = strawberry.field(description="Number of units reserved by this command.")
    problem: Problem | None = strawberry.field(
        description="Why not all of them are reserved; null: they are."
    )

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "CartLineResult":
        """Show a stored outcome."""
        code = stored["code"]
        return cls(
            sku=stored["sku"],
            requested=stored["requested"],
            reserved=stored["reserved"],
            problem=problem(code, stored["message"], {"skus": [stored["sku"]]}) if code else None,
        )


@strawberry.type(description="Result of reserving for a cart.")
class ReserveOutcome:
    reservation: Reservation | None = strawberry.field(
        description="All that is reserved for the cart now; null: nothing is."
    )
    lines: list[CartLineResult] = strawberry.field(
        description="The lines in the order in which they were asked for.", metadata={"size": 5}
    )
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was reserved again."
    )


@strawberry.type(description="A change of a reservation.")
class ReservationChange:
    reservation: Reservation | None = strawberry.field(
        description="Reservation of the cart now; null: there is none."
    )
    units: int = strawberry.field(description="Number of units that were extended or freed.")
    replayed: bool = strawberry.field(
        description="The key was used before: nothing was changed again."
    )


@strawberry.type(description="One line of goods of an order, without its units.")
class OrderStatusLine:
    sku: str = strawberry.field(description="Our SKU.")
    title: str = strawberry.field(description="Text of the line for people.")
    quantity: int = strawberry.field(description="Number of pieces.")
    shipped: int = strawberry.field(description="How many of them have left.")


@strawberry.type(description="Units that left together.")
class OrderParcel:
    carrier: str | None = strawberry.field(description="Who carries it.")
    tracking: str | None = strawberry.field(description="Tracking number of the carrier.")
    shipped_at: datetime = strawberry.field(description="When it left.")
    units: int = strawberry.field(description="Number of units in it.")


@strawberry.type(description="Status of an order for the holder of its public token.")
class OrderStatus:
    number: str = strawberry.field(description="Number of the order.")
    progress: Progress = strawberry.field(description="How far it is.")
    placed_at: datetime = strawberry.field(description="When it was placed.")
    lines: list[OrderStatusLine] = strawberry.field(description="Its goods.", metadata={"size": 5})
    parcels: list[OrderParcel] = strawberry.field(
        description="Parcels that have left, the first first.", metadata={"size": 2}
    )

    @classmethod
    def of(cls, status: order_status.OrderStatus) -> "OrderStatus":
        """Show a status."""
        return cls(
            number=status.number,
            progress=status.progress,
            placed_at=moment(status.placed_at),
            lines=[
                OrderStatusLine(
                    sku=line.sku, title=line.title, quantity=line.quantity, shipped=line.shipped
                )
                for line in status.lines
            ],
            parcels=[
                OrderParcel(
                    carrier=parcel.carrier,
                    tracking=parcel.tracking,
                    shipped_at=moment(parcel.shipped_at),
                    units=parcel.units,
                )
                for parcel in status.parcels
            ],
        )


@strawberry.type(description="The units of a product at one site.")
class SiteStock:
    site: str = strawberry.field(description="Code of the site.")
    name: str = strawberry.field(description="Name of the site.")
    band: Band = strawberry.field(description="How much there is.")
    available: int | None = strawberry.field(
        description="Exact number; null without the scope `quantities`."
    )


@strawberry.type(description="The units of a product in one condition.")
class ConditionStock:
    condition: Condition = strawberry.field(description="The condition.")
    band: Band = strawberry.field(description="How much there is.")
    available: int | None = strawberry.field(
        description="Exact number; null without the scope `quantities`."
    )


@strawberry.type(description="How much of a product may be sold before it arrives.")
class PreOrder:
    cap: int | None = strawberry.field(
        description="At most so many wait at once; null without the scope `quantities`."
    )
    left: int | None = strawberry.field(
        description="How many may still be sold; null without the scope `quantities`."
    )


def day(text: str | None) -> date | None:
    """Return an ISO day."""
    return None if text is None else date.fromisoformat(text)
