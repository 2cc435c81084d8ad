"""The twin of tools/shape.py: every rule is shown to bite, and to leave good code alone."""

import ast
import subprocess
from pathlib import Path

import pytest

from tools import shape


def reasons(path: str, text: str) -> list[str]:
    return [str(finding) for finding in shape.examine(path, text)]


def test_a_file_of_400_lines_passes_and_one_more_does_not():
    assert reasons("src/tollbridge/a.py", "x = 1\n" * 400) == []
    (found,) = reasons("src/tollbridge/a.py", "x = 1\n" * 401)
    assert found.startswith("src/tollbridge/a.py:401: 401 lines")


def test_a_last_line_without_newline_counts():
    assert len(reasons("a.py", "x = 1\n" * 400 + "x = 1")) == 1


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_of_60_lines_passes_and_one_more_does_not(keyword: str):
    body = "    x = 1\n"
    assert reasons("a.py", f"{keyword} f():\n" + body * 59) == []
    assert reasons("a.py", f"\n{keyword} f():\n" + body * 60) == [
        "a.py:2: f has 61 lines, at most 60"
    ]


FLOAT = "a float near money: use integer nano-dollars"


@pytest.mark.parametrize("text", ["x = 0.5", "x: float", "x = float(y)", "x = y / 2", "x /= 2"])
def test_arithmetic_files_have_no_floats_at_all(text: str):
    for path in ("src/tollbridge/billing/pricing.py", "src/tollbridge/core/money.py"):
        assert reasons(path, f"\n{text}") == [f"{path}:2: {FLOAT}"]
    assert reasons("src/tollbridge/web/charts.py", text) == []


def test_a_deadline_in_billing_may_be_a_float():
    assert reasons("src/tollbridge/billing/ledger.py", "def wait(seconds: float = 0.5): ...") == []


def test_a_call_of_float_is_found_in_billing_only():
    path = "src/tollbridge/billing/ledger.py"
    assert reasons(path, "x = float(y)") == [f"{path}:1: {FLOAT}"]
    assert reasons("src/tollbridge/web/charts.py", "x = float(y)") == []


def test_integer_division_passes():
    assert reasons("src/tollbridge/core/money.py", "x = y // 2") == []


@pytest.mark.parametrize(
    "text",
    [
        "see /wor" + "k/shared/x",
        'open("/roo' + 't/.cache")',
        "https://py" + "pi.org/simple",
        "https://files.python" + "hosted.org/x.whl",
        "registry.npm" + "js.org",
        "--index" + "-url x",
        "PIP_EXTRA_INDEX" + "_URL",
        "--find" + "-links x",
    ],
)
def test_words_of_a_machine_or_a_registry_are_found_in_any_file(text: str):
    for path in ("README.md", "requirements/dev.txt", "src/tollbridge/a.py"):
        found = [str(finding) for finding in shape.forbidden(path, f"\n{text}\n")]
        assert len(found) == 1
        assert found[0].startswith(f"{path}:2: names ")


@pytest.mark.parametrize(
    "text", ["https://example.com/work/x", "a rework/rooted tree", "$(root)/root/x", "./work/"]
)
def test_innocent_words_pass(text: str):
    assert list(shape.forbidden("README.md", text)) == []


def test_a_module_wants_its_test_twin():
    src = {"src/tollbridge/cli.py", "src/tollbridge/core/money.py", "src/tollbridge/__init__.py"}
    found = [str(finding) for finding in shape.missing_twins(src)]
    assert found == [
        "src/tollbridge/cli.py:1: has no test twin tests/test_cli.py",
        "src/tollbridge/core/money.py:1: has no test twin tests/core/test_money.py",
    ]
    assert list(shape.missing_twins(src | {"tests/test_cli.py", "tests/core/test_money.py"})) == []


def test_migrations_need_no_twin():
    assert list(shape.missing_twins({"src/tollbridge/migrations/versions/0001_start.py"})) == []


def test_broken_python_is_a_finding_not_a_crash():
    (found,) = reasons("a.py", "x = 1\ndef f(:\n")
    assert found.startswith("a.py:2: is not Python")


def test_inspect_reads_the_tree_that_git_shows(tmp_path: Path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("out/\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.py").write_text("def f(:\n")
    (tmp_path / "b.py").write_text("x = 1\n" * 401)
    paths = shape.tracked_files(tmp_path)
    assert paths == [".gitignore", "b.py"]
    assert [finding.path for finding in shape.inspect(tmp_path, paths)] == ["b.py"]


def test_the_tool_obeys_its_own_rules():
    source = Path(shape.__file__).read_text()
    assert reasons("tools/shape.py", source) == []
    assert ast.parse(source)
