"""Columns of a plain user and a plain key; tests name only what matters to them."""

from typing import Any


def user_columns(**more: Any) -> dict[str, Any]:
    return {"role": "user", "group_name": "default", "password_hash": None, **more}


def key_columns(**more: Any) -> dict[str, Any]:
    return {
        "name": "demo",
        "channel_id": None,
        "enabled": True,
        "expires_ms": None,
        "ips": "[]",
        "models": "[]",
        "may_pin": False,
        "rpm": 0,
        "tpm": 0,
        "concurrency": 0,
        **more,
    }
