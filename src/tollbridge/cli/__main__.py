"""`python -m tollbridge.cli` is `tollbridge`."""

from tollbridge.cli.main import main

main()
