"""Alembic's entrance: `hub.storage.migrations.migrate` hands it an open connection.

SQLite's tables are strict: a number column takes no text and a text column no bytes, whoever
writes, so that no reader meets a value of another type. Strict tables know only SQLite's own types.
"""

from typing import Any

from alembic import context
from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, String
from sqlalchemy.ext.compiler import compiles

from hub.storage.model import metadata

STRICT_TYPES = {
    BigInteger: "INTEGER",
    Boolean: "INTEGER",
    Float: "REAL",
    Integer: "INTEGER",
    LargeBinary: "BLOB",
    String: "TEXT",
}


def _strict(name: str) -> Any:
    return lambda *_, **__: name


for type_, name in STRICT_TYPES.items():
    compiles(type_, "sqlite")(_strict(name))

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
