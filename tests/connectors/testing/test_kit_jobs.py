"""A connector whose channel processes levels as jobs passes the rows about stock, or is caught."""

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.contract import PushedLevel
from connectors.errors import ConnectorError
from connectors.medusa.connector import Medusa
from connectors.medusa.driver import MedusaDriver
from connectors.testing.case import ConformanceFailure, NotApplicable
from connectors.testing.conformance import stock
from connectors.testing.harness import run_case
from hub.vocabulary import StockLevel

ROWS = [row for row in stock.CASES if row.not_applicable(Medusa) is None]


class InJobs(Medusa):
    """Levels are taken as a job, and set when it is read for the second time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.looks: dict[str, int] = {}

    async def push_stock(self, levels: Sequence[StockLevel]) -> Sequence[PushedLevel]:
        job = f"job-{len(self.looks)}"
        self.looks[job] = 0
        return [PushedLevel(each.listing, job=job) for each in levels]

    async def read_stock_push(
        self, job: str, levels: Sequence[StockLevel]
    ) -> Sequence[PushedLevel]:
        self.looks[job] += 1
        if self.looks[job] < 2:
            return [PushedLevel(each.listing, job=job) for each in levels]
        return await super().push_stock(levels)


class NeverEnds(InJobs):
    async def read_stock_push(
        self, job: str, levels: Sequence[StockLevel]
    ) -> Sequence[PushedLevel]:
        return [PushedLevel(each.listing, job=job) for each in levels]


class LosesRefusals(InJobs):
    async def read_stock_push(
        self, job: str, levels: Sequence[StockLevel]
    ) -> Sequence[PushedLevel]:
        found = await super().read_stock_push(job, levels)
        return [each for each in found if not isinstance(each.error, ConnectorError)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_levels_as_jobs_pass_the_rows_about_stock(row: Any) -> None:
    try:
        run_case(row, InJobs, MedusaDriver)
    except NotApplicable as reason:  # of the twin, as in the suite of the kit
        pytest.skip(f"not applicable: {reason}")


@pytest.mark.parametrize("fault", [NeverEnds, LosesRefusals])
def test_jobs_that_never_end_or_lose_a_refusal_are_caught(fault: Any) -> None:
    (row,) = [each for each in ROWS if each.name == "one-bad-level"]
    with pytest.raises(ConformanceFailure):
        run_case(row, fault, MedusaDriver)
