"""Rules of channels and accounts: how names of models are mapped."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    for table in ("channels", "accounts"):
        op.add_column(table, sa.Column("mapping", sa.Text(), server_default="{}", nullable=False))
