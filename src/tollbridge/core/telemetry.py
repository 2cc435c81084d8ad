"""Owns what leaves the process as log lines, and that no secret or body is among it.

Every line, ours or a library's, passes one formatter: keys that name a secret lose their value, text
is masked, unknown objects become their type, and a traceback has neither locals nor source lines.
An exception's message appears only when the class is ours: a parser's may quote a body.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, TextIO, TypeAlias, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from tollbridge.core.metrics import Metrics
from tollbridge.core.redaction import clipped, mask_secrets, one_line

__all__ = [
    "Metrics",
    "Unmasked",
    "configure_logging",
    "exception_summary",
    "exception_trace",
    "get_logger",
    "install_excepthooks",
    "redact",
]

REDACTED = "[redacted]"
_OURS = "tollbridge."
_DEPTH = 6
_ITEMS = 50
_FRAMES = 50
_CHAIN = 8
# Alone or as the last word of a key: api_key, set-cookie, clientSecret; not key_id or max_tokens.
_SECRET_ENDS = frozenset(
    {
        "authorization",
        "apikey",
        "secret",
        "secrets",
        "password",
        "passwd",
        "token",
        "cookie",
        "cookies",
        "key",
        "keys",
        "body",
        "prompt",
        "messages",
        "content",
        "credential",
        "credentials",
        "pepper",
    }
)
# Anywhere in a key, because no figure is called so.
_SECRET_WORDS = frozenset({"authorization", "password", "secret", "cookie", "apikey"})
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"[^a-z0-9]+")
# These name callbacks and futures by repr, and with it arguments and exceptions.
_REPR_LOGGERS = frozenset({"asyncio"})
_QUIET = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx2": logging.WARNING,
    "sqlalchemy": logging.WARNING,
}


class Unmasked(str):
    """Text that a log line shows as it is, though it opens something: its reader is to use it.

    The one use is the link of a mail on a machine without a mail server (`notify.mail`).
    """

    __slots__ = ()


ExcInfo: TypeAlias = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    log_format: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> logging.Handler:
    """Route all logging of the process to `stream` (stderr) in one form; return the handler.

    Replaces the root logger's handlers and silences uvicorn's access log.
    """
    stream = sys.stderr if stream is None else stream
    handler = _Handler(stream)
    handler.setFormatter(_formatter(log_format, colors=stream.isatty()))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    _calm_libraries()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return handler


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def install_excepthooks() -> None:
    """Send uncaught exceptions of all threads through the log, where their messages are hidden."""
    log = logging.getLogger("tollbridge")

    def uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.critical("uncaught exception", exc_info=(kind, error, trace))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if args.exc_value is not None:
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def redact(value: object, depth: int = 0) -> object:
    """Return a copy of `value` that may be logged; what is not plain data becomes its type's name."""
    if isinstance(value, Enum):
        return redact(value.value, depth)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Unmasked):
        return clipped(one_line(value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, BaseException):
        return exception_summary(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, PurePath | date):
        return _text(str(value))
    if isinstance(value, Mapping):
        return "<mapping>" if depth >= _DEPTH else _mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        return "<list>" if depth >= _DEPTH else _sequence(value, depth)
    return f"<{type(value).__name__}>"


def exception_summary(error: BaseException) -> str:
    """Return the type of an exception, and its message when the class is ours."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _dotted(kind)
    if not kind.__module__.startswith(_OURS):
        return name
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not hide the failure it reports
        message = ""
    return f"{name}: {_text(message)}" if message else name


def exception_trace(error: BaseException) -> str:
    """Return the chain of an exception as types and frames: file, line, function, nothing else."""
    lines: list[str] = []
    seen: set[int] = set()
    _describe(error, lines, seen, "")
    return "\n".join(lines)


class _Handler(logging.StreamHandler[TextIO]):
    """A stream handler that does not print a record's arguments when the record is malformed."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        try:
            self.stream.write(f"a log record of {record.name} could not be written\n")
        except (OSError, ValueError):
            # The stream itself is gone; there is nowhere left to say so.
            return


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """The one way out. It takes objects out of a library's message before they become text."""

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(record.__dict__)
        if isinstance(record.args, Mapping):
            record.args = {key: _argument(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(_argument(value) for value in record.args)
        if isinstance(record.msg, BaseException):
            record.msg = exception_summary(record.msg)
        if record.name.partition(".")[0] in _REPR_LOGGERS:
            record.msg = re.split(r"[(<\n]", record.getMessage(), maxsplit=1)[0].strip()
            record.args = ()
        return super().format(record)


def _formatter(log_format: Literal["console", "json"], *, colors: bool) -> _Formatter:
    renderer: Processor
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=colors)
    return _Formatter(
        processors=[
            _add_trace,
            _redact_event,
            _add_origin,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            renderer,
        ]
    )


def _calm_libraries() -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    access = logging.getLogger("uvicorn.access")
    access.propagate = False
    access.disabled = True
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by frames and types, before anything else can render it."""
    error = _exception_of(event.pop("exc_info", None))
    # Stacks come with source lines; they name no more than the trace does.
    event.pop("stack_info", None)
    event.pop("stack", None)
    event.pop("exception", None)
    if error is not None:
        event["_trace"] = exception_trace(error)
    return event


def _exception_of(info: object) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return cast(ExcInfo, info)[1]
    return sys.exc_info()[1] if info else None


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    kept = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    trace = event.pop("_trace", None)
    clean = _mapping(event, 0)
    if trace is not None:
        clean["exception"] = trace
    return {**clean, **kept}


def _add_origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["level"] = record.levelname.lower()
    event["logger"] = record.name
    return event


def _argument(value: object) -> object:
    """Keep numbers for %d and text; anything else would become its repr inside the message."""
    return value if isinstance(value, str | int | float) else redact(value)


def _text(text: str) -> str:
    return clipped(one_line(mask_secrets(str(text))))


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, object]:
    clean: dict[str, object] = {}
    for index, (key, item) in enumerate(value.items()):
        if index >= _ITEMS:
            clean["…"] = f"<{len(value) - _ITEMS} more>"
            break
        name = _key(key)
        clean[name] = REDACTED if _is_secret(name) and item is not None else redact(item, depth + 1)
    return clean


def _sequence(value: Any, depth: int) -> list[object]:
    items = list(value)
    if isinstance(value, tuple) and len(items) == 2 and _is_secret(_key(items[0])):
        # A header pair.
        return [_key(items[0]), REDACTED]
    clean = [redact(item, depth + 1) for item in items[:_ITEMS]]
    return [*clean, f"<{len(items) - _ITEMS} more>"] if len(items) > _ITEMS else clean


def _key(key: object) -> str:
    if isinstance(key, bytes):
        key = key.decode("latin-1")
    return _text(key) if isinstance(key, str) else str(redact(key))


def _is_secret(name: str) -> bool:
    words = [word for word in _WORDS.split(_CAMEL.sub("_", name).lower()) if word]
    return bool(words) and (words[-1] in _SECRET_ENDS or not _SECRET_WORDS.isdisjoint(words))


def _dotted(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _describe(error: BaseException, lines: list[str], seen: set[int], indent: str) -> None:
    """Append one exception after those that led to it, like Python's own order."""
    if id(error) in seen or len(seen) >= _CHAIN:
        return
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        _describe(before, lines, seen, indent)
        lines.append(f"{indent}then:")
    lines.extend(f"{indent}{frame}" for frame in _frames(error.__traceback__))
    lines.append(f"{indent}{exception_summary(error)}")
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            _describe(inner, lines, seen, indent + "  ")


def _frames(trace: TracebackType | None) -> list[str]:
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    if len(frames) > _FRAMES:
        half = _FRAMES // 2
        return [*frames[:half], f"  … {len(frames) - _FRAMES} frames …", *frames[-half:]]
    return frames
