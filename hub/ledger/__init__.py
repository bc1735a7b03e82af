"""The ledger: one record for each unit, its events, and the only code that changes them.

`record` is the way in: one action for many units, with a verdict for each. `record_one` does the
same for one unit and raises instead. `commissioning` begins records; nothing else writes units.
"""

from hub.ledger.recording import (
    fresh,
    never_came_back,
    record,
    record_one,
    unchanged,
    write_units,
)

__all__ = ["fresh", "never_came_back", "record", "record_one", "unchanged", "write_units"]
