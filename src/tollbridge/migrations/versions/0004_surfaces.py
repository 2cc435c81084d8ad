"""The efforts that a model takes, where its name does not say."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("models", sa.Column("efforts", sa.Text(), server_default="[]", nullable=False))
