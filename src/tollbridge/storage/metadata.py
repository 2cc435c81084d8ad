"""Owns the one MetaData and the column types that both engines share. Knows no table."""

from sqlalchemy import CHAR, BigInteger, Integer, MetaData
from sqlalchemy.types import TypeEngine

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

# An INTEGER key is SQLite's own row id: one tree to write instead of two.
ID: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")

# Partition bounds and ranges of tids compare bytes, whatever the locale of the database.
_TID_CHARS = 32
TID: TypeEngine[str] = CHAR(_TID_CHARS).with_variant(CHAR(_TID_CHARS, collation="C"), "postgresql")
