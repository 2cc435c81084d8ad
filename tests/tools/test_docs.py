"""The twin of tools/docs.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from tollbridge.protocols.losses import LOSSES
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


def test_the_page_of_losses_has_each_in_its_table():
    page = docs.losses_page(
        {"seed": "No seed.", "answer_safety": "No ratings.", "top_k": "No top_k."}
    )
    assert page.startswith("# What is lost between protocols\n")
    head = "| code | what is lost |\n| --- | --- |\n"
    requests, answers = page.split("\n## ")[-2:]
    assert requests == f"Requests\n\n{head}| `seed` | No seed. |\n| `top_k` | No top_k. |\n"
    assert answers == f"Answers\n\n{head}| `answer_safety` | No ratings. |\n"


def test_a_document_that_is_out_of_date_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    page = tmp_path / "page.md"
    assert not docs.is_fresh(page, "new", tmp_path)
    page.write_text("old")
    assert not docs.is_fresh(page, "new", tmp_path)
    assert capsys.readouterr().out == "page.md:1: out of date, run make docs\n" * 2
    page.write_text("new")
    assert docs.is_fresh(page, "new", tmp_path)
    assert capsys.readouterr().out == ""


def test_every_loss_is_a_sentence_that_fits_a_table():
    for code, sentence in LOSSES.items():
        assert sentence.endswith("."), code
        assert "|" not in sentence
        assert "\n" not in sentence


def test_the_committed_documents_are_fresh():
    done = subprocess.run(
        [sys.executable, docs.__file__, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
