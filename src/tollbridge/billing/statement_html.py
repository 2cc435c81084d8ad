"""Owns a statement as a page of HTML that needs nothing else: no script, no picture, no link."""

from collections.abc import Iterable
from html import escape
from itertools import groupby

from tollbridge.billing.statement_lines import COLUMNS, Line, head, lines, title
from tollbridge.billing.statements import Statement

MEDIA_TYPE = "text/html; charset=utf-8"

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""What a browser may load for the page: nothing but its own style."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd; \
vertical-align: top; overflow-wrap: anywhere; min-width: 6rem }}
dd {{ overflow-wrap: anywhere }}
th {{ white-space: nowrap }}
.sheet {{ overflow-x: auto }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; min-width: 0 }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<dl>
{head}
</dl>
{sections}
</main>
</body>
</html>
"""
_NUMBERS = frozenset({"calls", "amount"})


def statement_html(one: Statement) -> bytes:
    """Return the statement as a whole page."""
    sections = (_section(name, group) for name, group in groupby(lines(one), lambda at: at.section))
    page = _PAGE.format(
        title=escape(title(one)),
        head="\n".join(
            f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in head(one)
        ),
        sections="\n".join(sections),
    )
    return page.encode("utf-8", "backslashreplace")


def _section(name: str, group: Iterable[Line]) -> str:
    heads = "".join(f"<th{_kind(column)}>{column.capitalize()}</th>" for column in COLUMNS)
    rows = "\n".join(f"<tr>{_cells(line)}</tr>" for line in group)
    return (
        f'<h2>{escape(name)}</h2>\n<div class="sheet" tabindex="0" role="region"'
        f' aria-label="{escape(name)}">\n<table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _cells(line: Line) -> str:
    return "".join(
        f"<td{_kind(column)}>{escape(cell)}</td>"
        for column, cell in zip(COLUMNS, line[1:], strict=True)
    )


def _kind(column: str) -> str:
    return ' class="number"' if column in _NUMBERS else ""
