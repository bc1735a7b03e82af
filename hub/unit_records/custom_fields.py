"""Custom fields of a unit: additional searchable attributes outside the ledger.

They describe a unit and not its history: the last value applies, and no event is written.
"""

import re
from collections.abc import Mapping

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.errors import InvalidInput
from hub.ledger.units import find
from hub.storage.sql import Row, Transaction

FIELDS_MAX = 100  # of one unit
VALUE_CHARS_MAX = 500

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]{0,59}")


def check_field(name: str, value: str | None = None) -> None:
    """Validate the name and the value of a field; raises InvalidInput."""
    if not _NAME.fullmatch(name):
        raise InvalidInput("a field's name begins with a letter and has at most 60", field="name")
    if value is not None and not 0 < len(value) <= VALUE_CHARS_MAX:
        raise InvalidInput(f"a value has 1 to {VALUE_CHARS_MAX} characters", field="value")


def set_fields(
    tx: Transaction,
    context: CommandContext,
    identifier: str,
    fields: Mapping[str, str | None],
    *,
    sku: str | None = None,
) -> Row:
    """Set fields of a unit, delete those whose value is None, and return the unit.

    Idempotent. Raises InvalidInput for an invalid field, UnknownUnit for an unknown unit.
    """
    unit = find(tx, identifier, sku)
    for name, value in fields.items():
        check_field(name, value)
    gone = sorted(name for name, value in fields.items() if value is None)
    tx.run(
        "DELETE FROM unit_field WHERE unit_id = :unit_id AND name IN (:names...)",
        unit_id=unit["id"],
        names=gone,
    )
    tx.run_many(
        "INSERT INTO unit_field(id, unit_id, name, value, changed_at) "
        "VALUES(:id, :unit_id, :name, :value, :now) ON CONFLICT(unit_id, name) DO UPDATE "
        "SET value = excluded.value, changed_at = excluded.changed_at",
        [
            {
                "id": new_id(),
                "unit_id": unit["id"],
                "name": name,
                "value": value,
                "now": micros(context.now),
            }
            for name, value in sorted(fields.items())
            if value is not None
        ],
    )
    count = tx.value("SELECT COUNT(*) FROM unit_field WHERE unit_id = :id", id=unit["id"])
    if count > FIELDS_MAX:
        raise InvalidInput(f"a unit has at most {FIELDS_MAX} fields", field="fields")
    return unit
