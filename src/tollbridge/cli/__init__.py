"""The command line. `main` is the entry point; each larger command has a file."""

from tollbridge.cli.main import main

__all__ = ["main"]
