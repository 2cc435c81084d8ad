"""Owns the command `python -m bench [--quick] [--engine NAME] [--lane NAME] [--json FILE]`.

It measures what the gateway costs next to nginx and prints and writes a report. A slow figure is
reported; only wrong answers or wrong books make it exit 1.
"""

import sys

from bench import report
from bench.nginx import NginxMissing
from bench.options import read_options
from bench.processes import ChildFailed
from bench.run import run


def main() -> int:
    """Run the benchmark; return 1 when calls failed or the books are off, 2 when it cannot run."""
    options = read_options(sys.argv[1:])
    try:
        found = run(options)
    except (ChildFailed, NginxMissing) as error:
        print(f"the benchmark cannot run: {error}", file=sys.stderr)
        return 2
    print(report.table(found))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(report.as_json(found))
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
