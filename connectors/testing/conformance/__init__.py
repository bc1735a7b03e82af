"""Every row of the conformance kit, in the order in which the scorecard shows them."""

from connectors.testing.case import Case
from connectors.testing.conformance import (
    amounts,
    buyers,
    contacts,
    errors,
    events,
    fulfillment,
    lines,
    orders,
    queues,
    records,
    refunds,
    returns,
    routes,
    stock,
    warranties,
    webhooks,
)

SIMULATOR_CASES: tuple[Case, ...] = (
    *orders.CASES,
    *records.CASES,
    *lines.CASES,
    *amounts.CASES,
    *buyers.CASES,
    *stock.CASES,
    *fulfillment.CASES,
    *returns.CASES,
    *refunds.CASES,
    *webhooks.CASES,
    *queues.CASES,
    *warranties.CASES,
    *contacts.CASES,
    *events.CASES,
    *routes.CASES,
)
"""the cases that are played against a simulator."""

CASES: tuple[Case, ...] = (*SIMULATOR_CASES, *errors.CASES)
"""All rows: those of the wire as well, where any answer will do for a simulator."""
