"""What pages show of the catalogue's readers is made of phrases: plain English would stay English."""

import ast
from pathlib import Path

import pytest

import tollbridge.catalog

FOLDER = Path(tollbridge.catalog.__file__).parent
SHOWN = (
    *("fields", "channel_fields", "model_fields", "oauth_fields", "peak_fields", "rule_fields"),
    *("channel_editing", "account_editing", "model_editing"),
    *("price_import", "price_import_rows", "price_import_source"),
)
ERRORS = {"OAuthError", "FileError", "NoCounterpart", "Unsayable"}


def plain(source: str) -> list[str]:
    """Return the reasons that are texts and no phrases."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            said = node.args[-1:] if name in {"NoCounterpart", "Unsayable"} else node.args[1:2]
            if name == "error" or name in ERRORS:
                found += [one for one in said if isinstance(one, ast.Constant | ast.JoinedStr)]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "reason":
            found += [node.value] if isinstance(node.value, ast.Constant | ast.JoinedStr) else []
        elif isinstance(node, ast.Yield) and isinstance(node.value, ast.JoinedStr):
            found.append(node.value)
    return [ast.unparse(one) for one in found]


@pytest.mark.parametrize("name", SHOWN)
def test_every_reason_is_a_phrase(name: str):
    assert plain((FOLDER / f"{name}.py").read_text(encoding="utf-8")) == []


def test_a_plain_reason_is_found():
    source = 'raise f.error("a", "b")\nreason = f"{x}"\nraise Unsayable("c")\nyield f"{y}"\n'
    assert len(plain(source)) == 4
