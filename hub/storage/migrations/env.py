"""Alembic's entrance: `hub.storage.migrations.migrate` hands it an open connection."""

from alembic import context

from hub.storage.model import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
