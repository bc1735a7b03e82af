"""The ledger: one record for each unit, its events, and the only code that changes them.

`record` applies one action to many units and returns a verdict for each; `record_one` applies it to
one unit and raises instead. `commissioning` creates records; nothing else writes units.
"""

from hub.ledger.recording import (
    fresh,
    never_came_back,
    record,
    record_one,
    unchanged,
)
from hub.ledger.unit_writer import write_units

__all__ = ["fresh", "never_came_back", "record", "record_one", "unchanged", "write_units"]
