"""Owns the settings of a process: names, units, defaults, ranges, and how they are read and explained.

One TOML file and TOLLBRIDGE_* variables; a variable wins over the file, the command line over both.
Must not know what a setting does. Values never appear in messages: a URL may hold a password.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tollbridge.core.money import parse_usd
from tollbridge.core.settings_file import (
    ENV_PREFIX,
    SettingsError,
    env_name,
    read_file,
    refuse_unknown,
    sentence_of,
)
from tollbridge.core.sign_in_providers import SignInProviders

__all__ = [
    "ENV_PREFIX",
    "Settings",
    "SettingsError",
    "describe_settings",
    "env_name",
    "load_settings",
]

_FILE = "_file"
_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql://"
_HOUR_S = 3600
_TABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,63}(\.[A-Za-z_][A-Za-z0-9_]{0,63})?$"
_DAY_S = 86_400
_MIB = 1 << 20
_GIB = 1 << 30
_KEEP_DAYS_MIN = 32
# Read from the environment alone: a file that holds keys beside a database URL protects neither.
_ENV_ONLY = frozenset({"keys"})

_Seconds = Annotated[float, Field(gt=0, le=_DAY_S, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of one process, frozen. Names end in their unit; see `describe_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0 lets the system choose one.")
    database: str = Field(
        "sqlite:///var/tollbridge.db",
        repr=False,
        description="sqlite:///path/to.db or postgresql://user@host/db.",
    )
    public_url: str = Field(
        "",
        description="Where people reach this site, such as https://ai.example.com; links in mail"
        " begin with it. Empty: the address that is listened on.",
    )
    redis_url: str = Field(
        "", repr=False, description="Redis or Valkey for shared counters; empty: none."
    )
    workers: int = Field(
        1, ge=1, le=256, description="Server processes; more than one needs PostgreSQL."
    )
    key_file: str = Field(
        "",
        description="File with the pepper and the encryption keys; empty: keys/tollbridge.keys"
        " beside the folder of the SQLite database.",
    )
    keys: str = Field(
        "",
        repr=False,
        description="Content of the key file, in place of the file; environment only.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged: debug, info, warning or error."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Form of log lines: console or json."
    )

    max_head_bytes: int = Field(
        65_536, ge=1024, le=16 * _MIB, description="Largest request head, in bytes."
    )
    max_headers: int = Field(100, ge=1, le=10_000, description="Most headers in a request.")
    head_timeout_s: _Seconds = Field(10, description="Time for a whole request head, in seconds.")
    body_progress_s: _Seconds = Field(
        30, description="Longest pause while a request body arrives, in seconds."
    )
    max_body_bytes: int = Field(
        33_554_432, ge=1024, le=_GIB, description="Largest request body, in bytes."
    )
    keep_alive_s: _Seconds = Field(
        75, description="How long an idle client connection stays open, in seconds."
    )
    client_stall_s: _Seconds = Field(
        90, description="How long a client may take nothing of its answer, in seconds."
    )

    connect_timeout_s: _Seconds = Field(
        10, description="Time to connect to an upstream, TLS included, in seconds."
    )
    first_byte_timeout_s: _Seconds = Field(
        300, description="Time until an upstream's first byte, in seconds."
    )
    idle_timeout_s: _Seconds = Field(
        120, description="Longest silence of an upstream inside an answer, in seconds."
    )
    total_timeout_s: _Seconds = Field(
        1800, description="Longest time of one call to an upstream, in seconds."
    )
    upstream_pool_idle: int = Field(
        256, ge=0, le=65_536, description="Idle upstream connections kept per origin."
    )
    upstream_keep_alive_s: _Seconds = Field(
        60, description="How long an idle upstream connection is kept, in seconds."
    )
    max_reply_bytes: int = Field(
        67_108_864, ge=1024, le=_GIB, description="Largest unary answer of an upstream, in bytes."
    )
    max_attempts: int = Field(
        3, ge=1, le=20, description="Accounts tried for one call before it fails."
    )
    queue_wait_s: float = Field(
        8, ge=0, le=9, description="How long a call may wait for room, in seconds; 0: not at all."
    )
    queue_user_calls: int = Field(
        64, ge=1, le=100_000, description="Calls of one user that may wait for room at a time."
    )
    queue_line_calls: int = Field(
        256, ge=1, le=100_000, description="Calls that may wait for room in one line at a time."
    )
    queue_bytes: int = Field(
        268_435_456, ge=1024, le=1 << 40, description="Bodies of waiting calls in all, in bytes."
    )
    public_prices: bool = Field(True, description="Whether /api/pricing answers without a key.")
    retry_floor_per_s: int = Field(
        10, ge=0, le=100_000, description="Second tries always allowed to a channel, per second."
    )
    park_accounts: bool = Field(
        True, description="Leave accounts that fail or are limited out for a while."
    )

    hold_floor_tokens: int = Field(
        4096, ge=1, le=10_000_000, description="Least output that a hold pays for, in tokens."
    )
    hold_share: int = Field(
        4, ge=1, le=1000, description="A hold takes at most 1/share of the available balance."
    )
    blob_tokens: int = Field(
        50_000, ge=1, le=10_000_000, description="Input bound of one base64 attachment, in tokens."
    )
    checkpoint_nano: int = Field(
        5_000_000,
        ge=1,
        le=10**15,
        description="Streamed cost between checkpoints of a hold, in nano-dollars.",
    )
    checkpoint_s: _Seconds = Field(
        10, description="Time between checkpoints of a hold, in seconds."
    )
    writer_deadline_s: _Seconds = Field(
        2, description="How long a write may take before the database counts as down, in seconds."
    )
    min_free_disk_bytes: int = Field(
        268_435_456, ge=0, le=1 << 50, description="Free disk below which no call starts, in bytes."
    )
    reserve_file_bytes: int = Field(
        8_388_608,
        ge=0,
        le=_GIB,
        description="Disk kept back so that running calls settle on a full disk, in bytes.",
    )
    drain_cap_s: _Seconds = Field(
        120, description="How long an answer is drained after its client left, in seconds."
    )
    settle_grace_s: _Seconds = Field(
        30, description="How long a finished stream waits for its settlement, in seconds."
    )
    finish_silence_s: _Seconds = Field(
        2, description="Silence after a finish before settling by estimate, in seconds."
    )
    heartbeat_s: _Seconds = Field(
        10, description="Silence towards a client before a heartbeat, in seconds."
    )
    shutdown_grace_s: _Seconds = Field(
        60, description="How long running calls may finish at shutdown, in seconds."
    )

    slice_tokens: int = Field(
        2048, ge=16, le=10_000_000, description="Output that a stream's first hold pays for."
    )
    node_beat_s: _Seconds = Field(5, description="Time between two beats of a node, in seconds.")
    node_dead_s: _Seconds = Field(
        30, description="Silence of a node after which its calls are reclaimed, in seconds."
    )
    work: bool = Field(True, description="Whether serve does background work too.")
    usage_keep_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days for which single calls are kept, 32 at least; 0: for ever. Sums stay.",
    )
    audit_every_s: _Seconds = Field(
        3600, description="Time between two checks of the books by the worker, in seconds."
    )
    disk_alert_bytes: int = Field(
        _GIB, ge=0, le=1 << 50, description="Free disk below which operators are alerted, in bytes."
    )
    sink_url: str = Field("", repr=False, description="ClickHouse that usage is sent to; or none.")
    sink_table: str = Field("usage", pattern=_TABLE, description="Table of that ClickHouse.")
    sink_batch_rows: int = Field(10_000, ge=1, le=100_000, description="Most rows sent at once.")
    sink_every_s: float = Field(10, gt=0, le=_HOUR_S, description="Seconds between sendings.")
    sink_alert_rows: int = Field(100_000, ge=1, description="Waiting rows that alert operators.")
    alert_mail_to: str = Field("", description="Addresses alerted by mail, comma between; or none.")
    alert_webhook_url: str = Field("", repr=False, description="URL that alerts are posted to.")
    alert_webhook_secret: str = Field(
        "", repr=False, description="Secret that signs the alerts posted to the webhook."
    )
    low_balance_usd: str = Field(
        "2.00",
        description="Balance below which users are told, unless they chose another; 0: none.",
    )
    mail_from: str = Field("tollbridge@localhost", description="Sender of mail.")
    smtp_host: str = Field("", description="Mail server; empty: mail is written to mail_folder.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="Encryption towards the mail server: none, starttls or tls."
    )
    smtp_user: str = Field("", description="User at the mail server; empty: none is named.")
    smtp_password: str = Field("", repr=False, description="Password at the mail server.")
    mail_folder: str = Field(
        "var/mail", description="Folder that mail is written to without a mail server."
    )
    captcha_verify_url: str = Field("", description="URL that verifies captchas; empty: none.")
    captcha_secret: str = Field("", repr=False, description="Secret towards that URL.")
    captcha_site_key: str = Field("", description="Key that the captcha's widget is shown with.")
    captcha_script_url: str = Field("", description="Script of the captcha's widget.")
    sign_in_providers: SignInProviders = Field(
        (),
        repr=False,
        description="Sites to sign in with: tables [[sign_in_providers]] of name, kind (oidc or"
        " github), title, issuer, client_id, client_secret, scopes, allowed_domains; in the"
        " variable a JSON list of objects. See docs/sign-in.md.",
    )

    @field_validator("low_balance_usd")
    @classmethod
    def _amount(cls, text: str) -> str:
        parse_usd(text)
        return text

    @field_validator("database")
    @classmethod
    def _known_engine(cls, url: str) -> str:
        if len(url) > len(_SQLITE) and url.startswith(_SQLITE):
            if ":memory:" in url:
                raise ValueError("money needs a file: sqlite:///path/to.db")
            return url
        if len(url) > len(_POSTGRESQL) and url.startswith(_POSTGRESQL):
            return url
        raise ValueError("must be sqlite:///path/to.db or postgresql://user@host/db")

    @field_validator("usage_keep_days")
    @classmethod
    def _whole_month(cls, days: int) -> int:
        if 0 < days < _KEEP_DAYS_MIN:
            raise ValueError(f"must be 0 or at least {_KEEP_DAYS_MIN}: a month and its last day")
        return days

    @field_validator("public_url")
    @classmethod
    def _origin(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.netloc or "@" in url):
            raise ValueError("must be like https://ai.example.com")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError("must end after the host: the site has no folder of its own")
        return url.rstrip("/")

    @field_validator("captcha_verify_url", "captcha_script_url")
    @classmethod
    def _of_the_web(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in url):
            raise ValueError("must be like https://captcha.example.com/path")
        return url

    @field_validator("redis_url")
    @classmethod
    def _known_store(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "valkey://", "unix://")):
            raise ValueError("must begin with redis://, rediss://, valkey:// or unix://")
        return url

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.sqlite_path is None:
            if not self.key_file and not self.keys:
                raise ValueError(
                    "PostgreSQL needs key_file (a path) or TOLLBRIDGE_KEYS (its content)"
                )
        elif self.workers > 1:
            raise ValueError("workers above 1 need PostgreSQL: SQLite has one process")
        captcha = [value for name, value in self if name.startswith("captcha_")]
        if any(captcha) and not all(captcha):
            raise ValueError("a captcha needs all four: verify_url, secret, site_key, script_url")
        return self

    @property
    def sqlite_path(self) -> Path | None:
        """The file of the SQLite database; None on PostgreSQL."""
        if not self.database.startswith(_SQLITE):
            return None
        return Path(self.database.removeprefix(_SQLITE).partition("?")[0])

    @property
    def captcha_origin(self) -> str:
        """The origin of the captcha's script, which pages must let in; "" without a captcha."""
        parts = urlsplit(self.captcha_script_url)
        return f"{parts.scheme}://{parts.netloc}" if self.captcha_script_url else ""

    @property
    def key_path(self) -> Path | None:
        """The key file, never inside the database's folder by default; None when `keys` holds it."""
        if self.keys:
            return None
        if self.key_file:
            return Path(self.key_file)
        # The validators leave no third case, and a path that is absolute has a parent to stand in.
        database = Path(os.path.abspath(self.sqlite_path or "tollbridge.db"))  # noqa: PTH100
        return database.parent.parent / "keys" / "tollbridge.keys"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the file below the environment; `load_settings` hands it over under _FILE."""
        del dotenv_settings, file_secret_settings
        given = dict(init_settings())
        in_file = given.pop(_FILE, {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=given),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=in_file),
        )


def load_settings(config_file: Path | None = None, **overrides: object) -> Settings:
    """Read the settings; an override of None counts as not given.

    Raises SettingsError with one line a fault.
    """
    known = list(Settings.model_fields)
    in_file = {} if config_file is None else read_file(config_file, known, _ENV_ONLY)
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    refuse_unknown(given, "the command line", known)
    try:
        return Settings(**(given | {_FILE: in_file}))
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        lines = [sentence_of(fault, given, in_file, config_file) for fault in faults]
        raise SettingsError("\n".join(lines)) from None


def describe_settings() -> str:
    """Return every setting with its TOML name, variable, default and meaning."""
    blocks = []
    for name, field in Settings.model_fields.items():
        where = f"{env_name(name)}" if name in _ENV_ONLY else f"{name}  ({env_name(name)})"
        default = {"": '""', (): "[]"}.get(field.default, field.default)
        blocks.append(f"{where}\n    default {default}\n    {field.description}\n")
    return "\n".join(blocks)
