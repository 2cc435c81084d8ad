"""Owns the data of a whole shop for tests of upgrades and backups: months of calls, holds, secrets.

Made from a seed and right by every invariant. It is written into whatever columns the tables have,
so that the same shop fits a schema of any revision: a new revision's columns are added to the rows
here, older schemas leave them out.
"""

import random
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, text

from tollbridge.billing.bill import Bill, pack
from tollbridge.core.clock import now_ms
from tollbridge.core.secrets import Secrets
from tollbridge.storage.archive import Column
from tollbridge.storage.ledger_items import USAGE_COLUMNS
from tollbridge.storage.saved_tables import saved_shapes

SECRETS = Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1")
MONTH_MS = 30 * 86_400_000
TEXTS = (
    "a plain name", "Schlüssel “ü” 🔑", 'quote " and \\ back', "line\nbreak\ttab", "",
    '{"json": [true]}', "\\u0000 is no NUL", "' OR 1=1 --", "x" * 64,
)  # fmt: skip
Rows = dict[str, list[dict[str, Any]]]
_PEAK = '{"from":"08:00","to":"18:00","days":[0,4],"zone":"UTC","num":3,"den":2}'
_ORDER = ("users", "channels", "accounts", "account_tokens", "models", "prices", "api_keys",
          "access_tokens", "user_groups", "user_alert", "site", "recovery_codes",
          "external_identities", "bonus_marks", "invites", "redeem_codes", "announcements",
          "audit_log", "idempotency", "node", "purse", "hold", "usage",
          "sink_feed", "journal", "lot", "lot_use", "job", "alert", "lease")  # fmt: skip
_COUNTS = USAGE_COLUMNS[USAGE_COLUMNS.index("input") : USAGE_COLUMNS.index("items")]


class Shop:
    """Makes the rows of a shop; `rows` has them by table."""

    def __init__(
        self,
        seed: int,
        *,
        users: int = 3,
        months: int = 4,
        calls: int = 40,
        holds: int = 6,
        newest: bool = True,
    ) -> None:
        """`newest` False leaves out what no schema before 0003 can hold."""
        self._random = random.Random(seed)
        self._newest = newest
        self._now = now_ms()
        self._first = self._now - months * MONTH_MS
        self._ids = iter(range(10**15 + seed % 10**6, 10**18))
        self.rows: Rows = {name: [] for name in _ORDER}
        self._catalogue()
        for number in range(users):
            self._user(number)
        for _ in range(calls):
            self._call()
        for _ in range(holds):
            self._hold()
        for wallet in self._wallets() if newest else ():
            self._lots(wallet)

    def _wallets(self) -> list[dict[str, Any]]:
        return [one for one in self.rows["purse"] if one["kind"] == "wallet"]

    def _id(self) -> int:
        return next(self._ids)

    def _text(self) -> str:
        return self._random.choice(TEXTS)

    def _one(self, table: str) -> dict[str, Any]:
        return self._random.choice(self.rows[table])

    def _add(self, table: str, **values: Any) -> dict[str, Any]:
        self.rows[table].append(values)
        return values

    def _catalogue(self) -> None:
        self._add("site", key="error_profile", value='"legacy"')
        for number in range(2):
            channel, model = self._id(), self._id()
            self._add(
                "channels", id=channel, name=f"c{number}", platform="openai", surfaces='["*"]',
                models='["m"]', multiplier_num=3, multiplier_den=20, capabilities="[]",
                client_policy="any", groups='["*"]', rpm=0, tpm=0, concurrency=0,
                proxy=SECRETS.seal("http://me:hush@proxy", f"channel:{channel}:proxy"),
                enabled=bool(number), created_ms=self._first,
                **self._new(requires_telegram=bool(number), peak=_PEAK),
            )  # fmt: skip
            account = self._id()
            self._add(
                "accounts", id=account, channel_id=channel, name=self._text(),
                base_url="http://vendor", secret=SECRETS.seal("hush", f"account:{account}:secret"),
                weight=1, priority=0, compatible=True, proxy="", cost_num=1, cost_den=2,
                stops_on_abort=False, enabled=True, created_ms=self._first,
                **self._new(rpm=5, tpm=6, concurrency=7, auth=("secret", "oauth")[number],
                            recovered_ms=8, disabled_reason=("", self._text())[number]),
            )  # fmt: skip
            if number and self._newest:
                self._sign_in(account)
            self._add(
                "models", id=model, name=f"m{number}", context=9, max_output=8, sizes="[]",
                n_max=0, prompt_max=0, text_max=0, enabled=True, created_ms=self._first,
            )  # fmt: skip
            self._add(
                "prices", id=self._id(), model_id=model, valid_from_ms=self._first,
                valid_to_ms=None, rates='{"input": 1, "output": 2}', tiers="[]", items="{}",
                **self._new(services='{"flex": {"input": 1}}'),
            )  # fmt: skip
        self._add("node", id=1, name="an old process", epoch=3, beat=self._now, dead=False)
        if self._newest:
            self._add(
                "job", id=self._id(), kind="mail", payload="{}", state="ready", run_at_ms=1,
                attempts=0, holder=None, lease_until_ms=None, error=None, dedupe=None, created_ms=1,
            )  # fmt: skip
            self._add(
                "alert", id=self._id(), kind="disk", subject=self._text(), detail=self._text(),
                first_ms=1, last_ms=2, count=3, notified_ms=None, closed_ms=None,
            )  # fmt: skip
            self._add("user_groups", name=self._text(), factor_num=9, factor_den=10)
            self._add("lease", name="audit", holder=1, until_ms=self._now + 60_000)

    def _sign_in(self, account: int) -> None:
        sealed = {
            column: SECRETS.seal("hush", f"token:{account}:{column}")
            for column in ("client_secret", "refresh", "access")
        }
        self._add(
            "account_tokens", account_id=account, token_url="http://vendor/token",
            client_id=self._text(), scope="a b", style="json", **sealed, expires_ms=self._now,
            version=9, holder=3, held_until_ms=self._now, quarantined_until_ms=2**60,
            failure="status_503",
        )  # fmt: skip

    def _new(self, **values: Any) -> dict[str, Any]:
        return values if self._newest else {}

    def _user(self, number: int) -> None:
        user, wallet, key = self._id(), self._id(), self._id()
        limit = self._id() if number % 2 else None
        self._add(
            "users", id=user, email=f"U{number}@example.com", email_norm=f"u{number}@example.com",
            role="user", group_name="default", status="active", password_hash=None,
            wallet_id=wallet, created_ms=self._first,
            **self._new(rpm=1, tpm=2, concurrency=3, telegram_id=number or None,
                        budget_nano=number or None, budget_period="month", low_balance_nano=number,
                        language=("en", None)[number % 2], zone="Asia/Shanghai", verified_ms=1,
                        terms_version="2 ü", terms_ms=2, status_reason=self._text(),
                        totp_secret=None if number else self._factor(user), totp_step=9,
                        deleted_ms=number or None),
        )  # fmt: skip
        if self._newest:
            self._person(user)
            self._add(
                "user_alert", user_id=user, key_id=key, kind="budget", window_ms=self._first,
                at_ms=self._now,
            )  # fmt: skip
            self._add(
                "access_tokens", id=self._id(), user_id=user, name=self._text(),
                hash=self._random.randbytes(32), last6="fedcba", scopes='["read"]',
                created_ms=self._first, expires_ms=None, revoked_ms=number or None, used_ms=None,
            )  # fmt: skip
        self._add(
            "api_keys", id=key, user_id=user, name=self._text(), hash=self._random.randbytes(32),
            last6="abcdef", channel_id=self._one("channels")["id"], enabled=True,
            limit_nano=10**12 if limit else None, limit_excess_nano=0, limit_purse_id=limit,
            expires_ms=None, ips="[]", models="[]", may_pin=False, rpm=0, tpm=0, concurrency=0,
            created_ms=self._first,
            **self._new(budget_nano=10**12, budget_period="month", deleted_ms=number or None,
                        old_hash=self._random.randbytes(32), old_last6="012345", old_until_ms=4),
        )  # fmt: skip
        purses = [(wallet, "wallet", user, 0)]
        if limit:
            purses.append((limit, "key_limit", key, 10**12))
        if self._newest:
            purses.append((self._id(), "key_budget", key, 10**12))
        for purse, kind, owner, available in purses:
            self._add(
                "purse", id=purse, kind=kind, owner_id=owner, period_start=0,
                available=available, held=0, **self._new(granted=available),
            )  # fmt: skip
        self._move("promo", f"wallet:{wallet}", self._random.randint(1, 10**11), "grant", str(user))

    def _factor(self, user: int) -> str:
        return SECRETS.seal("hush", f"user:{user}:totp_secret")

    def _person(self, user: int) -> None:
        """What a backup keeps of somebody who signed up, and of what operators did."""
        mark = self._random.randbytes
        self._add("recovery_codes", id=self._id(), user_id=user, hash=mark(32), used_ms=None)
        self._add(
            "external_identities", id=self._id(), user_id=user, provider="github",
            subject=str(user), email="É@example.com", created_ms=1,
        )  # fmt: skip
        self._add("bonus_marks", kind="sign_up", mark=mark(32), at_ms=1)
        self._add(
            "invites", id=self._id(), hash=mark(32), last6="fedcba", note=self._text(), uses_max=3,
            uses=2, created_by=user, created_ms=1, expires_ms=None, revoked_ms=2,
        )  # fmt: skip
        self._add(
            "redeem_codes", id=self._id(), hash=mark(32), last6="abcdef", batch=self._text(),
            amount_nano=2**62, credit_days=30, created_by=None, created_ms=1, expires_ms=2,
            revoked_ms=None, redeemed_by=user, redeemed_ms=3,
        )  # fmt: skip
        self._add(
            "announcements", id=self._id(), level="incident", title=self._text(),
            body=self._text(), language="zh_Hans", starts_ms=1, ends_ms=None, created_by=user,
            created_ms=1,
        )  # fmt: skip
        self._add(
            "audit_log", id=self._id(), at_ms=1, actor_id=None, actor="shell", via="shell",
            address="", action="user.suspend", subject_kind="user", subject_id=user,
            subject=self._text(), detail='{"reason":"ü"}',
        )  # fmt: skip
        self._add(
            "idempotency", user_id=user, name=self._text(), request=mark(32), status=200,
            answer=self._text(), created_ms=1,
        )  # fmt: skip

    def _move(self, debit: str, credit: str, amount: int, kind: str, ref: str) -> None:
        self._add(
            "journal", id=self._id(), at_ms=self._now, debit=debit, credit=credit, amount=amount,
            currency="USD", kind=kind, ref=ref,
        )  # fmt: skip
        for account, sign in ((debit, -1), (credit, 1)):
            for purse in self.rows["purse"]:
                if account == f"wallet:{purse['id']}":
                    purse["available"] += sign * amount

    def _lots(self, wallet: Mapping[str, Any]) -> None:
        """What is left of two lots is what the wallet has."""
        ends = self._random.randint(0, wallet["available"])
        for left, expires_ms in ((ends, self._now + MONTH_MS), (wallet["available"] - ends, None)):
            spent = self._random.randint(1, 9)
            made = self._add(
                "lot", id=self._id(), wallet_id=wallet["id"], origin="grant", ref=str(self._id()),
                amount=left + spent, remaining=left, created_ms=self._first, expires_ms=expires_ms,
            )  # fmt: skip
            self._add("lot_use", lot_id=made["id"], day_ms=self._first, amount=spent)

    def _purses(self, key: Mapping[str, Any]) -> list[dict[str, Any]]:
        user = next(one for one in self.rows["users"] if one["id"] == key["user_id"])
        wallet = [one for one in self.rows["purse"] if one["id"] == user["wallet_id"]]
        guards = [one for one in self.rows["purse"]
                  if one["kind"] != "wallet" and one["owner_id"] == key["id"]]  # fmt: skip
        return wallet + guards

    def _tid(self, at_ms: int) -> str:
        return f"{at_ms:012x}7{self._random.getrandbits(76):019x}"

    def _call(self) -> None:
        key, at_ms = self._one("api_keys"), self._random.randint(self._first, self._now)
        wallet, *guards = self._purses(key)
        tid = self._tid(at_ms)
        charge = self._random.choice((0, self._random.randint(0, wallet["available"] // 4)))
        loss = self._random.choice((0, 0, 7)) if charge else 0
        back = charge if self._newest and charge % 5 == 0 else 0
        counts = dict.fromkeys(_COUNTS, 0) | {"input": 2**62, "output": 3}
        self._add(
            "usage", tid=tid, at_ms=at_ms, user_id=key["user_id"], key_id=key["id"],
            key_name=key["name"], wallet_id=wallet["id"], channel_id=key["channel_id"],
            channel_name=self._text(), account_id=None, model_asked=self._text(), model_sent=None,
            model_answered=None, surface="chat", platform="openai", stream=charge % 2 == 0,
            status=200, error_kind=None, end_state="complete", flags="", **counts, items=None,
            price_id=self._one("prices")["id"], multiplier_num=3, multiplier_den=20, charge=charge,
            list_cost=charge, own_cost=0, loss=loss, held=charge, first_token_ms=4, total_ms=5,
            client="a client", attempts=None,
            **self._new(service_tier=self._random.choice((None, "flex")), reversed=back,
                        factors=self._random.choice((None, '[["group",9,10]]'))),
        )  # fmt: skip
        if charge:
            self._move(f"wallet:{wallet['id']}", "revenue", charge, "charge", tid)
        if loss:
            self._move("operator_loss", "revenue", loss, "loss", tid)
        if back:
            self._move("revenue", f"wallet:{wallet['id']}", back, "reversal", tid)
        for guard in guards:
            guard["available"] -= charge - back
        if self._newest:
            self._add("sink_feed", id=self._id(), tid=tid)

    def _hold(self) -> None:
        key = self._one("api_keys")
        purses = self._purses(key)
        amount = self._random.randint(1, max(purses[0]["available"] // 8, 1))
        if purses[0]["available"] - purses[0]["held"] < amount:
            return
        tid = self._tid(self._now)
        bill = Bill(
            tid, self._now, key["user_id"], key["id"], key["name"], purses[0]["id"],
            key["channel_id"], "a channel", None, "asked", "sent", "chat", "openai",
            stream=True, price_id=1, num=1, den=1, client="", input=5, output=6,
        )  # fmt: skip
        text_of_bill = self._random.choice((pack(bill), pack(bill), "no bill", pack(bill)[:9]))
        ids = [one["id"] for one in purses]
        self._add(
            "hold", tid=tid, wallet_id=ids[0], key_purse_id=ids[1] if len(ids) > 1 else None,
            amount=amount, covered=amount // 2, node_id=1, epoch=3, at_ms=self._now,
            bill=text_of_bill, **self._new(other_purse_id=ids[2] if len(ids) > 2 else None),
        )  # fmt: skip
        for purse in purses:
            purse["held"] += amount


def write(connection: Connection, rows: Rows) -> None:
    """Put the rows of a shop into the tables that the database has, instead of what is there."""
    found, there = MetaData(), inspect(connection).get_table_names()
    assert {name for name in _ORDER if rows[name]} <= {*there}
    tables = [Table(name, found, autoload_with=connection) for name in _ORDER if name in there]
    for table in reversed(tables):
        connection.execute(table.delete())
    for table in tables:
        if given := rows[table.name]:
            assert {*given[0]} <= {*table.columns.keys()}, table.name
            connection.execute(table.insert(), given)


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return every saved table's rows, sorted, columns by name; the same on both engines."""
    return {
        shape.name: _rows(connection, shape.name, shape.columns)
        for shape in saved_shapes(connection)
    }


def _rows(connection: Connection, table: str, columns: Iterable[Column]) -> list[tuple[Any, ...]]:
    ordered = sorted(columns, key=lambda column: column.name)
    names = ", ".join(f'"{column.name}"' for column in ordered)
    found = connection.execute(text(f'SELECT {names} FROM "{table}"')).all()
    kinds = [
        {"bool": bool, "bytes": bytes}.get(column.kind, lambda same: same) for column in ordered
    ]
    return sorted(
        (tuple(None if value is None else kind(value) for kind, value in zip(kinds, row, strict=True))
         for row in found),
        key=repr,
    )  # fmt: skip
