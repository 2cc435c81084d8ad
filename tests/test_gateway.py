"""Proof of the wiring: which books a gateway keeps, and what it refuses to be wired with."""

import pytest

from tollbridge.billing.node import SqliteNode
from tollbridge.billing.postgres_node import PostgresNode
from tollbridge.core.secrets import Secrets
from tollbridge.core.settings import Settings
from tollbridge.gateway import CannotServe, Gateway


def settings(tmp_path, **values) -> Settings:
    given = {"database": f"sqlite:///{tmp_path}/t.db", "key_file": str(tmp_path / "keys"), **values}
    return Settings(**given)


def gateway(tmp_path, secrets=None, **values) -> Gateway:
    return Gateway(settings(tmp_path, **values), secrets or Secrets.parse(_KEYS))


_KEYS = (
    b'{"pepper": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "current_key_id": "k1",'
    b' "encryption_keys": {"k1": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}'
)


def test_the_database_decides_whose_books_are_kept(tmp_path):
    assert isinstance(gateway(tmp_path)._node, SqliteNode)
    one = gateway(tmp_path, database="postgresql://me@127.0.0.1:9/db")
    assert isinstance(one._node, PostgresNode)


def test_a_url_that_no_store_of_limits_has_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(CannotServe):
        gateway(tmp_path, redis_url="redis://127.0.0.1:notaport/0")
