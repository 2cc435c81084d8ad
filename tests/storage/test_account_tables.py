"""The twin of storage/account_tables.py: what hangs on an account is bound to it, and nothing is vague."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from tollbridge.storage.account_tables import account_tokens, account_trouble
from tollbridge.storage.unit_of_work import writing

ROW = {
    "account_id": 1, "token_url": "u", "client_id": "", "client_secret": "", "scope": "",
    "style": "form", "refresh": "", "access": "", "expires_ms": 0, "version": 1, "holder": 0,
    "held_until_ms": 0, "quarantined_until_ms": 0, "failure": "",
}  # fmt: skip


async def test_tokens_are_of_an_account_that_is_there(engine):
    with pytest.raises(IntegrityError):
        async with writing(engine) as connection:
            await connection.execute(insert(account_tokens).values(**ROW))


def test_every_column_is_told():
    for table in (account_tokens, account_trouble):
        assert [column.name for column in table.columns if column.nullable] == []
    assert [column.name for column in account_tokens.primary_key] == ["account_id"]
    assert "node_id" in account_trouble.primary_key.columns
