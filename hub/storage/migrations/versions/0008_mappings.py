"""What the words of a channel mean here."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Go forward."""
    op.add_column("channel", sa.Column("mappings", sa.Text(), nullable=True))
