"""Imports of units from files: CSV, XLSX or Parquet, of any length.

Each row gets a verdict that is kept. A batch, its verdicts and how far it came are one transaction,
so that a run that was broken off goes on after its last whole batch. A dry run gives the same
verdicts and changes nothing.
"""

from hub.imports.plan import Plan
from hub.imports.reports import by_id, export_refused, listed, rows_of, tally
from hub.imports.rows import RowCode
from hub.imports.running import BATCH_ROWS, Run, begin, cancel, carry_out

__all__ = [
    "BATCH_ROWS",
    "Plan",
    "RowCode",
    "Run",
    "begin",
    "by_id",
    "cancel",
    "carry_out",
    "export_refused",
    "listed",
    "rows_of",
    "tally",
]
