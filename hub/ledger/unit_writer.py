"""Unit writer: the state and the names of units, written after the events that changed them."""

from collections.abc import Iterable

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.identifiers.numbers import canonical, skeleton, verbatim
from hub.ledger.units import UnitState
from hub.storage.sql import Transaction


def write_units(tx: Transaction, context: CommandContext, units: Iterable[UnitState]) -> None:
    """Write the state of units after their last events; only writers of events may call this."""
    tx.run_many(
        "UPDATE unit SET version = :version, status = :status, disposition = :disposition, "
        "location_id = :location_id, promised_to = :promised_to, order_line_id = :line, "
        # Always as the hold says, so that the two never differ.
        "promised_until = (SELECT expires_at FROM hold WHERE hold.id = :hold), "
        "blocks = :blocks, grade = :grade, condition = :condition, "
        "kit_id = :kit_id, members = :members, merged_into = :merged_into, "
        "received_at = :received_at, sold_at = :sold_at, "
        "changed_at = :now, hash = :hash "
        "WHERE id = :id",
        [
            {
                "id": unit.id,
                "version": unit.version,
                "status": str(unit.status),
                "disposition": str(unit.disposition),
                "location_id": unit.location_id,
                "promised_to": unit.promised_to,
                "hold": unit.promised_to,  # again: PostgreSQL takes the two for different types
                "line": unit.order_line_id,
                "blocks": unit.blocks,
                "grade": unit.grade,
                "condition": unit.condition,
                "kit_id": unit.kit_id,
                "members": unit.members,
                "merged_into": unit.merged_into,
                "received_at": unit.received_at,
                "sold_at": unit.sold_at,
                "now": micros(context.now),
                "hash": unit.hash,
            }
            for unit in units
        ],
    )


def write_identities(tx: Transaction, units: Iterable[UnitState]) -> None:
    """Write what units are called, after the events that say so."""
    tx.run_many(
        "UPDATE unit SET serial = :serial, serial_canonical = :canonical, skeleton = :skeleton, "
        "serial_exact = CASE (SELECT serial_case FROM product WHERE product.id = :product) "
        "WHEN 'exact' THEN :exact ELSE '' END, "
        "product_id = :product, manufacturer_id = :manufacturer WHERE id = :id",
        [
            {
                "id": unit.id,
                "serial": unit.serial,
                "exact": verbatim(unit.serial),
                "canonical": canonical(unit.serial),
                "skeleton": skeleton(unit.serial),
                "product": unit.product_id,
                "manufacturer": unit.manufacturer_id,
            }
            for unit in units
        ],
    )
