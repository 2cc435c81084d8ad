"""The throw-away Redis starts, forgets, comes back at the same port, and leaves nothing behind."""

import pytest

from tests.services.redis import Server


def test_it_serves_until_it_is_removed(redis_url):
    server = Server()
    try:
        server.start()
        port = server.port
        server.ask("SET", "a", "1")
        server.stop()
        with pytest.raises(OSError):
            server.ask("PING")
        server.start()
        assert server.port == port
        assert server.ask("GET", "a") == "$-1\r\n"
    finally:
        server.remove()
    assert not server.folder.exists()


def test_the_fixture_gives_an_empty_server(redis_url, redis_server):
    assert redis_url == f"redis://127.0.0.1:{redis_server.port}/0"
    assert redis_server.ask("DBSIZE") == ":0\r\n"
