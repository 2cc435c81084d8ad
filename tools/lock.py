"""Owns requirements/*.txt: every dependency pinned by version and by the hashes of its wheels.

The files name packages and hashes only, never where to fetch them: that is the installer's choice,
and a hash makes the choice harmless. Needs pip-tools in the environment that runs it.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = (
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-emit-options",
    "--no-emit-index-" + "url",
    "--no-emit-trusted-host",
    "--resolver=backtracking",
    "--quiet",
)


def build_requirements(pyproject: str) -> str:
    """Return what builds the package, one requirement a line, from the text of pyproject.toml."""
    requires = tomllib.loads(pyproject)["build-system"]["requires"]
    return "".join(f"{line}\n" for line in requires)


def command(output: str, source: str, options: list[str]) -> list[str]:
    """Return the pip-compile call that writes requirements/<output> from `source`."""
    target = f"requirements/{output}"
    return [sys.executable, "-m", "piptools", "compile", *COMMON, *options, "-o", target, source]


def _compile(output: str, source: str, options: list[str], given: str | None = None) -> None:
    print(f"requirements/{output}", flush=True)
    environment = {**os.environ, "CUSTOM_COMPILE_COMMAND": "make lock"}
    arguments = command(output, source, options)
    subprocess.run(arguments, cwd=ROOT, check=True, text=True, input=given, env=environment)


def main() -> int:
    """Write the three files; `--upgrade` takes the newest versions that pyproject.toml allows."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--upgrade", action="store_true")
    options = ["--upgrade"] if parser.parse_args().upgrade else []
    requires = build_requirements((ROOT / "pyproject.toml").read_text())
    _compile("build.txt", "-", [*options, "--no-annotate"], requires)
    _compile("runtime.txt", "pyproject.toml", options)
    # What runs in production is what was tested: dev is runtime and more, never other versions.
    held = [*options, "--constraint", "requirements/runtime.txt"]
    _compile("dev.txt", "pyproject.toml", ["--extra", "dev", *held])
    return 0


if __name__ == "__main__":
    sys.exit(main())
