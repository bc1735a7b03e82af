"""Columns of the kinds that all tables use."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    String,
    Text,
    text,
)
from sqlmodel import Field

# SQLite numbers rows by itself only where the column is a plain INTEGER PRIMARY KEY.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


def own_id() -> Any:
    """Return the primary key: a UUIDv7 in text form."""
    return Field(primary_key=True, max_length=36)


def to(table: str, *, nullable: bool = False, index: bool = False) -> Any:
    """Return a reference to another table."""
    column: Column[str] = Column(
        String(36), ForeignKey(f"{table}.id"), nullable=nullable, index=index
    )
    return Field(sa_column=column, default=None)


def instant(*, nullable: bool = False) -> Any:
    """Return a time in microseconds since 1970, in UTC."""
    return Field(sa_column=Column(BigInteger, nullable=nullable), default=None)


def words(*, nullable: bool = True, default: str | None = None) -> Any:
    """Return a text without a limit of its own."""
    server = None if default is None else text(f"'{default}'")
    column: Column[str] = Column(Text, nullable=nullable, server_default=server)
    return Field(sa_column=column, default=default)


def integer(default: int = 0) -> Any:
    """Return a whole number of 64 bits."""
    column: Column[int] = Column(BigInteger, nullable=False, server_default=text(str(default)))
    return Field(sa_column=column, default=default)


def where(condition: str) -> dict[str, Any]:
    """Return the condition of a partial index, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
