"""What an intruder with the database's password can do."""

from hub.storage.sql import Transaction


def unguarded(tx: Transaction, statement: str) -> None:
    """Do what an intruder with the database's password can do: remove the guards first."""
    if tx.dialect == "sqlite":
        tx.run("DROP TRIGGER event_refuses_update")
        tx.run("DROP TRIGGER event_refuses_delete")
    else:
        tx.run("DROP TRIGGER event_refuses_change ON event")
    tx.run(statement)
