"""Every row of the conformance kit, in the order in which the scorecard shows them."""

from connectors.testing.case import Row
from connectors.testing.conformance import (
    errors,
    events,
    fulfillment,
    orders,
    queues,
    returns,
    routes,
    stock,
    warranties,
    webhooks,
)

STORIES: tuple[Row, ...] = (
    *orders.ROWS,
    *stock.ROWS,
    *fulfillment.ROWS,
    *returns.ROWS,
    *webhooks.ROWS,
    *queues.ROWS,
    *warranties.ROWS,
    *events.ROWS,
    *routes.ROWS,
)
"""The rows that are played against a twin."""

ROWS: tuple[Row, ...] = (*STORIES, *errors.ROWS)
"""All rows: those of the wire as well, where any answer will do for a twin."""
