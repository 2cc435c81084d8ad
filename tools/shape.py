"""Owns the shape of the code: what the linter has no rule for. Must not know what the code does.

Rules, each printed as `file:line: reason`:
a file has at most 400 lines, a function at most 60; each module has its test twin; no file names a
folder of a build machine or where packages come from; no float comes near money.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60

# Nothing in these may be a float. Elsewhere in billing a deadline in seconds may, but no call of
# `float` turns something into one.
ARITHMETIC = (
    "src/tollbridge/core/money.py",
    "src/tollbridge/catalog/prices.py",
    "src/tollbridge/billing/bounds.py",
    "src/tollbridge/billing/pricing.py",
)
BILLING = "src/tollbridge/billing/"

# Built from pieces, so that this file obeys its own rule.
_HOSTS = ("py" + "pi", "python" + "hosted", "npm" + "js", "crates" + r"\.io")
FORBIDDEN = (
    (re.compile(r"(?<![\w.\-/}$)])/" + r"(?:work|root|home/\w+)/"), "a folder of one machine"),
    (re.compile(r"(?i)\b(?:" + "|".join(_HOSTS) + r")[\w\-]*\.(?:org|com|io)\b"), "a package host"),
    (re.compile(r"(?i)(?<![a-z])index" + r"[-_]url\b"), "a package index"),
    (re.compile(r"(?i)(?<![a-z])find" + r"[-_]links\b"), "a package folder"),
)
_CODE = (".css", ".html", ".in", ".js", ".po", ".py", ".sh", ".sql")
_DATA = (".cfg", ".conf", ".ini", ".json", ".md", ".toml", ".txt", ".yaml", ".yml")
_NAMES = frozenset({"Dockerfile", "Makefile", "LICENSE", ".dockerignore", ".gitignore", "run"})


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One broken rule; `line` counts from 1."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


def long_file(path: str, text: str) -> Iterator[Finding]:
    """Find a Python file longer than FILE_LINES."""
    lines = text.count("\n") + (not text.endswith("\n") and bool(text))
    if lines > FILE_LINES:
        yield Finding(path, FILE_LINES + 1, f"{lines} lines, at most {FILE_LINES}: cut it in two")


def long_functions(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Find functions longer than FUNCTION_LINES, decorators not counted."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES:
            reason = f"{node.name} has {lines} lines, at most {FUNCTION_LINES}"
            yield Finding(path, node.lineno, reason)


def floats(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Find floats near money: names, literals and true division in ARITHMETIC, calls in BILLING."""
    strict = path in ARITHMETIC
    if not strict and not path.startswith(BILLING):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="float")):
                found = not strict  # there its name is found already
            case ast.Name(id="float") | ast.Constant(value=float()) | ast.Div():
                found = strict
            case _:
                found = False
        if found:
            line = getattr(node, "lineno", 0) or _line_of(tree, node)
            yield Finding(path, line, "a float near money: use integer nano-dollars")


def _line_of(tree: ast.AST, operator: ast.AST) -> int:
    """Return the line of the operation that an operator, which has no place, belongs to."""
    return next(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp | ast.AugAssign) and node.op is operator
    )


def forbidden(path: str, text: str) -> Iterator[Finding]:
    """Find words that tie a file to one machine or to one source of packages."""
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in FORBIDDEN:
            match = pattern.search(line)
            if match:
                yield Finding(path, number, f"names {what}: {match.group(0)}")


def _needs_twin(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (
        path.startswith("src/tollbridge/")
        and name not in {"__init__.py", "__main__.py"}
        and not path.startswith("src/tollbridge/migrations/")
    )


def missing_twins(paths: set[str]) -> Iterator[Finding]:
    """Find modules without tests: src/tollbridge/a/b.py wants tests/a/test_b.py."""
    for path in sorted(paths):
        if not path.endswith(".py") or not _needs_twin(path):
            continue
        folder, _, name = path.removeprefix("src/tollbridge/").rpartition("/")
        twin = "/".join(part for part in ("tests", folder, f"test_{name}") if part)
        if twin not in paths:
            yield Finding(path, 1, f"has no test twin {twin}")


def examine(path: str, text: str) -> Iterator[Finding]:
    """Apply every rule that one file can break; ValueError never, a syntax error is a finding."""
    yield from forbidden(path, text)
    if not path.endswith(".py"):
        return
    yield from long_file(path, text)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield Finding(path, error.lineno or 1, f"is not Python: {error.msg}")
        return
    yield from long_functions(path, tree)
    yield from floats(path, tree)


def tracked_files(root: Path) -> list[str]:
    """List the project's files: what git tracks or would track, so ignored output is left out."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    names = set(filter(None, os.fsdecode(listing.stdout).split("\0")))
    return sorted(name for name in names if (root / name).is_file())


def _is_text(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name in _NAMES or name.endswith(_CODE + _DATA)


def inspect(root: Path, paths: list[str]) -> list[Finding]:
    """Apply all rules to the files named by `paths` under `root`."""
    findings = list(missing_twins(set(paths)))
    for path in filter(_is_text, paths):
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        findings.extend(examine(path, text))
    return sorted(findings)


def main() -> int:
    """Print what is wrong; return 1 when something is."""
    root = Path(__file__).resolve().parent.parent
    findings = inspect(root, tracked_files(root))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
