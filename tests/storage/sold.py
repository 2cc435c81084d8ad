"""Owns a price and an account in a database of tests of the books, as SQL that both engines take.

By `PRICE` 7 tokens in and 8 out cost 396.000008 nano-dollars at list price, and `ACCOUNT` pays two
thirds of that.
"""

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

MODEL, CHANNEL, ACCOUNT, PRICE, DAMAGED = 3, 8, 9, 10, 11
RATES = '{"input": 20000000, "output": 32000001}'

ROWS = (
    (
        "INSERT INTO models (id, name, context, max_output, sizes, n_max, prompt_max, text_max, enabled,"
        f" created_ms) VALUES ({MODEL}, 'm', 1, 1, '[]', 0, 0, 0, true, 1)"
    ),
    (
        "INSERT INTO prices (id, model_id, valid_from_ms, valid_to_ms, rates, tiers, items)"
        f" VALUES ({PRICE}, {MODEL}, 1, 2, '{RATES}', '[]', '{{}}')"
    ),
    (
        "INSERT INTO prices (id, model_id, valid_from_ms, valid_to_ms, rates, tiers, items)"
        f" VALUES ({DAMAGED}, {MODEL}, 1, 2, '{{', '[]', '{{}}')"
    ),
    (
        "INSERT INTO channels (id, name, platform, surfaces, models, multiplier_num, multiplier_den,"
        " capabilities, client_policy, groups, proxy, rpm, tpm, concurrency, enabled, created_ms)"
        f" VALUES ({CHANNEL}, 'c', 'openai', '[]', '[]', 3, 20, '[]', 'any', '[]', '', 0, 0, 0, true, 1)"
    ),
    (
        "INSERT INTO accounts (id, channel_id, name, base_url, secret, weight, priority, compatible,"
        " proxy, cost_num, cost_den, stops_on_abort, enabled, created_ms)"
        f" VALUES ({ACCOUNT}, {CHANNEL}, 'a', 'http://upstream.test', '', 1, 0, false, '', 2, 3, true,"
        " true, 1)"
    ),
)


def sell(path: Path) -> None:
    """Put the rows into a SQLite file."""
    with closing(connect(path)) as connection, connection:
        for row in ROWS:
            connection.execute(row)
