"""Whatever the documents and examples call a setting, a variable, a command or a file is one."""

import re
from pathlib import Path

import pytest

from tollbridge.cli import main
from tollbridge.core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
TEXTS = sorted([
    *ROOT.glob("docs/*.md"), ROOT / "deploy" / "README.md",
    *(path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".example", ".conf", ".service", ".yaml"}),
])  # fmt: skip
# The key of a client in an example, not a setting.
_NOT_SETTINGS = {"TOLLBRIDGE_KEY"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_every_variable_is_a_setting(path: Path):
    known = {f"TOLLBRIDGE_{setting.upper()}" for setting in Settings.model_fields}
    named = set(re.findall(r"\bTOLLBRIDGE_[A-Z_]*[A-Z]\b", path.read_text()))
    assert named - known - _NOT_SETTINGS == set()


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_every_command_is_one(path: Path):
    named = re.findall(r"`(?:\S*/)?tollbridge ([a-z]+)( [a-z]+)?", path.read_text())
    for command, sub in named:
        found = main.commands[command]
        if sub and hasattr(found, "commands"):
            assert sub.strip() in found.commands, f"tollbridge {command}{sub}"


def test_times_in_operations_are_the_settings_defaults():
    text = (ROOT / "docs" / "operations.md").read_text()
    told = dict(re.findall(r"`([a-z_]+_s)` \((\d+) s\)", text))
    assert {"settle_grace_s", "node_dead_s"} <= told.keys()
    for setting, seconds in told.items():
        assert Settings.model_fields[setting].default == int(seconds), setting


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".md"], ids=name)
def test_links_lead_to_files(path: Path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_prometheus_scrapes_what_the_rules_go_by():
    import yaml

    folder = ROOT / "deploy" / "prometheus"
    config = yaml.safe_load((folder / "prometheus.yml").read_text())
    assert [(folder / file).exists() for file in config["rule_files"]] == [True]
    [job] = config["scrape_configs"]
    assert f'job="{job["job_name"]}"' in (folder / "alerts.yml").read_text()
    services = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())["services"]
    targets = job["static_configs"][0]["targets"]
    assert {target.partition(":")[0] for target in targets} <= services.keys()
