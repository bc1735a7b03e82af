"""The public fields: all that a publishable key may select, reviewed field by field.

A field that is not named here is not public, so a new one never is by accident.
"""

_PROBLEM = ("code", "message")

PUBLIC: dict[str, tuple[str, ...]] = {
    "Query": ("availability", "products", "reservation", "orderStatus"),
    "Mutation": ("reserve", "extendReservation", "releaseReservation", "checkout"),
    "Subscription": ("availability",),
    "AvailabilityUpdate": ("changed",),
    "Availability": (
        "sku",
        "condition",
        "band",
        "available",  # null without the scope `quantities`, which no publishable key has
        "sites",
        "conditions",
        "preOrder",
        "nextArrival",
    ),
    "SiteStock": ("site", "name", "band", "available"),
    "ConditionStock": ("condition", "band", "available"),
    "PreOrder": ("cap", "left"),
    "Product": (
        "sku",
        "name",
        "gtin",
        "modelNumber",
        "manufacturer",
        "warrantyMonths",
        "returnDays",
    ),
    "Manufacturer": ("code", "name"),
    "Reservation": ("cart", "expiresAt", "ttlSeconds", "lines"),
    "ReservedLine": ("sku", "quantity", "site", "condition", "expiresAt"),
    "ReserveOutcome": ("reservation", "lines", "replayed"),
    "CartLineResult": ("sku", "requested", "reserved", "problem"),
    "ReservationChange": ("reservation", "units", "replayed"),
    "CheckedOut": ("order", "token", "replayed"),
    "Order": ("number", "placedAt"),
    "OrderStatus": ("number", "progress", "placedAt", "lines", "parcels"),
    "OrderStatusLine": ("sku", "title", "quantity", "shipped"),
    "OrderParcel": ("carrier", "tracking", "shippedAt", "units"),
    "Problem": _PROBLEM,
    "InvalidInput": (*_PROBLEM, "field"),
    "UnknownReference": (*_PROBLEM, "field"),
    "InvalidBarcode": _PROBLEM,
    "UnknownUnit": _PROBLEM,
    "AmbiguousUnit": _PROBLEM,
    "StepNotAllowed": _PROBLEM,
    "OrderOnHold": _PROBLEM,
    "IdempotencyKeyReused": _PROBLEM,
    "Forbidden": _PROBLEM,
    "NotEnoughStock": _PROBLEM,
}

COORDINATES = frozenset(f"{name}.{field}" for name, fields in PUBLIC.items() for field in fields)
"""The public fields as schema coordinates, such as ``Availability.band``."""
