"""The twin of tools/docs.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import docs


def test_the_index_lists_decisions_in_order(tmp_path: Path):
    (tmp_path / "0002-second.md").write_text("# 0002 Second thought\n")
    (tmp_path / "0001-first.md").write_text("# 0001 First thought\n")
    (tmp_path / "README.md").write_text("old")
    assert docs.index(tmp_path).splitlines()[-2:] == [
        "| 0001 | [First thought](0001-first.md) |",
        "| 0002 | [Second thought](0002-second.md) |",
    ]


@pytest.mark.parametrize("text", ["", "First\n", "# 0002 Other number\n", "# 0001\n"])
def test_a_wrong_title_is_named(text: str):
    with pytest.raises(docs.DocsError, match=r"0001-first\.md: the first line must be"):
        docs.entry("0001-first.md", text)


def test_a_decision_has_at_most_40_lines():
    assert docs.entry("0001-a.md", "# 0001 A\n" + "x\n" * 39)
    with pytest.raises(docs.DocsError, match="41 lines, at most 40"):
        docs.entry("0001-a.md", "# 0001 A\n" + "x\n" * 40)


def test_the_committed_index_is_fresh():
    done = subprocess.run(
        [sys.executable, docs.__file__, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
