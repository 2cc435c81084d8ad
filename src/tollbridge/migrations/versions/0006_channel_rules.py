"""Rules of channels and accounts: names of models, headers and fields of calls."""

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
    for name, nothing in (("headers", sa.text("''")), ("params", "{}"), ("params_drop", "[]")):
        op.add_column(
            "accounts", sa.Column(name, sa.Text(), server_default=nothing, nullable=False)
        )
