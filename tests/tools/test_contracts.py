"""Proof that the import contracts of pyproject.toml bite: violations planted in a small package."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import shape

PYPROJECT = Path(shape.__file__).resolve().parent.parent / "pyproject.toml"
MODULES = (
    "app",
    "cli",
    "gateway",
    "edge.server",
    "relay.pipeline",
    "billing.bounds",
    "billing.ledger",
    "billing.pricing",
    "catalog.prices",
    "identity.keys",
    "storage.engine",
    "storage.ledger_exact",
    "storage.ledger_postgres",
    "storage.ledger_sqlite",
    "storage.ledger_tables",
    "protocols.sse",
    "core.clock",
    "core.money",
)
LAYERS = "Layers"
PURE = "Pure code does no I/O"
CLOCK = "Pure code reads no clock"
WRITER = "Money has one writer"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    shutil.copy(PYPROJECT, tmp_path)
    package = tmp_path / "tollbridge"
    for module in MODULES:
        path = package.joinpath(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    (package / "__init__.py").touch()
    return package


def broken(package: Path) -> list[str]:
    """Return the names of the contracts that lint-imports reports as broken."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache"],
        cwd=package.parent,
        env={"PYTHONPATH": str(package.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    names = [line.removesuffix(" BROKEN") for line in done.stdout.splitlines() if "BROKEN" in line]
    assert bool(names) == bool(done.returncode), done.stdout + done.stderr
    return names


def test_the_skeleton_keeps_every_contract(package: Path):
    assert broken(package) == []


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("core.money", "tollbridge.protocols.sse", LAYERS),
        ("billing.ledger", "tollbridge.relay.pipeline", LAYERS),
        ("catalog.prices", "tollbridge.identity.keys", LAYERS),
        ("relay.pipeline", "tollbridge.app", LAYERS),
        ("protocols.sse", "asyncio", PURE),
        ("billing.bounds", "sqlite3", PURE),
        ("core.money", "time", CLOCK),
        ("catalog.prices", "tollbridge.core.clock", CLOCK),
        ("relay.pipeline", "tollbridge.storage.ledger_tables", WRITER),
        ("identity.keys", "tollbridge.storage.ledger_sqlite", WRITER),
        ("relay.pipeline", "tollbridge.storage.ledger_postgres", WRITER),
        ("storage.engine", "tollbridge.storage.ledger_exact", WRITER),
    ],
)
def test_a_planted_import_is_reported(package: Path, module: str, imported: str, contract: str):
    path = package.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(f"import {imported}\n")
    assert any(name.startswith(contract) for name in broken(package))


def test_io_is_found_through_another_module(package: Path):
    (package / "core" / "clock.py").write_text("import sqlite3\n")
    (package / "billing" / "pricing.py").write_text("import tollbridge.core.clock\n")
    assert any(name.startswith(PURE) for name in broken(package))


def test_billing_may_write_money(package: Path):
    lines = "import tollbridge.storage.ledger_sqlite\nimport tollbridge.storage.ledger_tables\n"
    (package / "billing" / "ledger.py").write_text(lines)
    assert broken(package) == []


def test_a_new_package_must_be_placed(package: Path):
    (package / "attic").mkdir()
    (package / "attic" / "__init__.py").touch()
    assert any(name.startswith(LAYERS) for name in broken(package))
