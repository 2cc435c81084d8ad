"""Lines of the journal that are no charges are found by their accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward; charges, nearly all of the journal, are not in these indexes."""
    for side in ("debit", "credit"):
        op.create_index(
            f"ix_journal_{side}_id",
            "journal",
            [side, "id"],
            sqlite_where=sa.text("kind <> 'charge'"),
            postgresql_where=sa.text("kind <> 'charge'"),
        )
