"""The yardstick is configured as performance.md says."""

from pathlib import Path

from bench.nginx import configuration


def test_configuration() -> None:
    text = configuration(Path("/nowhere"), 81, 82, root=False)
    for line in ("worker_processes 1;", "access_log off;", "proxy_buffering off;"):
        assert line in text
    assert "client_body_buffer_size 1m;" in text
    assert "server 127.0.0.1:82;" in text
    assert "listen 127.0.0.1:81 " in text
    assert "user " not in text
    assert configuration(Path("/nowhere"), 81, 82, root=True).startswith("user root;")
