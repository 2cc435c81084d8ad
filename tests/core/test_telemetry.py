"""No canary gets out: whatever is logged, by us or by a library, in either form."""

import io
import json
import logging
import sys
import threading
from datetime import date
from enum import Enum
from pathlib import PurePosixPath
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.errors import ApiError, Kind
from tollbridge.core.secrets import SecretsError
from tollbridge.core.telemetry import (
    Unmasked,
    configure_logging,
    exception_summary,
    exception_trace,
    get_logger,
    install_excepthooks,
    redact,
)

CANARY = "CANARYcanary1234567890"
LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access", "sqlalchemy", "asyncio")


@pytest.fixture(autouse=True)
def _restored():
    """Give the process its logging back; without it later tests would write to a closed stream."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loggers = [logging.getLogger(name) for name in (*LIBRARIES, "alembic", "httpx2")]
    states = [(log, log.level, log.propagate, log.disabled, list(log.handlers)) for log in loggers]
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for log, old_level, propagate, disabled, old_handlers in states:
        log.setLevel(old_level)
        log.propagate, log.disabled, log.handlers[:] = propagate, disabled, old_handlers
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=["console", "json"])
def out(request):
    stream = io.StringIO()
    configure_logging("debug", request.param, stream)
    return stream


@pytest.fixture
def lines():
    """JSON lines, parsed."""
    stream = io.StringIO()
    configure_logging("debug", "json", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


class OurError(Exception):
    """Stands for an exception of ours: recognised by its module."""

    __module__ = "tollbridge.billing.example"


class Opaque:
    def __repr__(self):
        return CANARY


SECRET_NAMES = [
    "authorization",
    "Authorization",
    "x-api-key",
    "api_key",
    "apiKey",
    "X-Goog-Api-Key",
    "secret",
    "client_secret",
    "secret_env",
    "password",
    "old_password",
    "token",
    "accessToken",
    "cookie",
    "set-cookie",
    "key",
    "body",
    "request_body",
    "prompt",
    "messages",
    "content",
    "pepper",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secret_keys_lose_their_value(out, name):
    log = get_logger("tollbridge.test")
    for value in (CANARY, 123456789, [CANARY], {"a": CANARY}, CANARY.encode(), Opaque()):
        log.info("seen", **{name: value})
        log.info("seen", outer={"inner": [{name: value}]})
        log.info("seen", headers=[(name, value), (name.encode(), CANARY.encode())])
    assert out.getvalue().count("seen") == 18
    assert "CANARY" not in out.getvalue()
    assert "123456789" not in out.getvalue()


def test_figures_and_ids_stay(lines):
    get_logger("tollbridge.test").warning(
        "call ended", key_id=7, max_tokens=100, content_length=3, ok=True, none=None, share=0.5
    )
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == (
        "call ended",
        "warning",
        "tollbridge.test",
    )
    assert (line["key_id"], line["max_tokens"], line["content_length"]) == (7, 100, 3)
    assert (line["ok"], line["none"], line["share"]) == (True, None, 0.5)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "text",
    [
        f"sk-{CANARY}",
        f"Bearer {CANARY}",
        f"GET /v1/models?key={CANARY}",
        f"password={CANARY}",
        f"redis://:{CANARY}@host",
    ],
)
def test_secrets_inside_text_are_masked(out, text):
    get_logger("tollbridge.test").info(f"event {text}", field=text, nested={"x": [text]})
    get_logger("tollbridge.test").info("named", **{text: 1})
    logging.getLogger("library").warning("saw %s", text)
    logging.getLogger("library").warning(f"saw {text}")
    assert "CANARY" not in out.getvalue()
    assert out.getvalue().count("saw") == 2


def test_objects_and_bytes_become_their_type(lines):
    get_logger("tollbridge.test").info(
        "seen", thing=Opaque(), raw=CANARY.encode(), view=memoryview(b"x")
    )
    (line,) = lines()
    assert (line["thing"], line["raw"], line["view"]) == ("<Opaque>", "<22 bytes>", "<1 bytes>")


def test_a_value_cannot_forge_a_line(out):
    get_logger("tollbridge.test").info("one\ntwo\x1b[31m", path="/a\r\nforged")
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b[31mtwo" not in out.getvalue()


def fail():
    secret_local = CANARY
    try:
        raise ValueError(f"cannot parse {secret_local}")
    except ValueError as error:
        raise KeyError(secret_local) from error


def test_tracebacks_have_frames_but_no_foreign_message_and_no_locals(out):
    for log in (get_logger("tollbridge.test"), logging.getLogger("library")):
        try:
            fail()
        except KeyError:
            log.exception("failed")
    text = out.getvalue()
    assert "CANARY" not in text
    assert "secret_local" not in text
    assert text.count("ValueError") == 2 and text.count("KeyError") == 2
    assert text.count("in fail") == 4
    assert "test_telemetry.py" in text


def test_exceptions_as_values_and_arguments_hide_their_message(out):
    error = ValueError(CANARY)
    get_logger("tollbridge.test").error("failed", error=error, exc_info=error)
    logging.getLogger("library").error("failed: %s", error)
    logging.getLogger("library").error("failed: %(e)r", {"e": error})
    logging.getLogger("library").error(error)
    logging.getLogger("library").error("failed: %s %d %r", Opaque(), 5, [CANARY.encode()])
    text = out.getvalue()
    assert "CANARY" not in text
    assert text.count("ValueError") == 5
    assert "<Opaque> 5" in text


def test_our_own_messages_stay_but_never_an_api_error_s(lines):
    log = get_logger("tollbridge.test")
    log.error("a", error=SecretsError("the key file is missing"))
    log.error("b", exc_info=OurError(f"node 3 said sk-{CANARY}"))
    log.error("c", error=ApiError(Kind.INVALID_REQUEST, CANARY, param=CANARY))
    one, two, three = lines()
    assert one["error"] == "tollbridge.core.secrets.SecretsError: the key file is missing"
    assert two["exception"].endswith("OurError: node 3 said …567890")
    assert three["error"].endswith("ApiError: invalid_request")


def test_chains_cycles_and_groups_end():
    first, second = ValueError(CANARY), KeyError(CANARY)
    first.__context__, second.__context__ = second, first
    group = ExceptionGroup(CANARY, [first, OurError("inner")])
    trace = exception_trace(group)
    assert "CANARY" not in trace
    assert "ExceptionGroup" in trace and "KeyError" in trace and "OurError: inner" in trace


def test_a_deep_stack_is_shortened():
    def dive(depth):
        if depth == 0:
            raise ValueError
        dive(depth - 1)

    with pytest.raises(ValueError) as caught:
        dive(200)
    assert "frames …" in exception_trace(caught.value)
    assert len(exception_trace(caught.value).splitlines()) == 52


def test_a_broken_str_does_not_break_the_log():
    class Broken(OurError):
        __module__ = "tollbridge.example"

        def __str__(self):
            raise RuntimeError(CANARY)

    assert exception_summary(Broken()).endswith("Broken")


def test_a_malformed_record_shows_no_arguments(capsys):
    out = io.StringIO()
    configure_logging("debug", "json", out)
    logging.getLogger("library").error("number %d", CANARY)
    assert out.getvalue() == "a log record of library could not be written\n"
    assert "CANARY" not in capsys.readouterr().err


def test_asyncio_s_reprs_are_cut(out):
    log = logging.getLogger("asyncio")
    log.error(f"Exception in callback Proto.data_received('{CANARY}')\nhandle: <Handle {CANARY}>")
    log.error(
        "Task exception was never retrieved\nfuture: <Task exception=ValueError('%s')>", CANARY
    )
    assert "CANARY" not in out.getvalue()
    assert "Exception in callback Proto.data_received" in out.getvalue()
    assert "Task exception was never retrieved" in out.getvalue()


async def test_a_lost_task_of_a_real_loop_hides_its_message(out):
    import asyncio
    import gc

    async def lose():
        raise ValueError(CANARY)

    task = asyncio.ensure_future(lose())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    assert "Task exception was never retrieved" in out.getvalue()
    assert "ValueError" in out.getvalue()
    assert "CANARY" not in out.getvalue()


def test_uvicorn_has_no_access_log_and_its_errors_come_through(out):
    noisy = logging.StreamHandler(io.StringIO())
    logging.getLogger("uvicorn.error").addHandler(noisy)
    configure_logging("info", "json", out)
    logging.getLogger("uvicorn.access").info("GET /v1/models")
    logging.getLogger("uvicorn.error").info("started")
    assert noisy not in logging.getLogger("uvicorn.error").handlers
    assert "GET" not in out.getvalue()
    assert out.getvalue().count("started") == 1


def test_levels_and_library_noise(lines):
    configure_logging("warning", "json", io.StringIO())
    assert not logging.getLogger("tollbridge.x").isEnabledFor(logging.INFO)
    assert not logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)
    get_logger("tollbridge.test").error("elsewhere")
    assert lines() == []


def test_a_migration_is_no_news():
    configure_logging("debug", "json", io.StringIO())
    assert not logging.getLogger("alembic.runtime.migration").isEnabledFor(logging.INFO)


def test_stack_info_and_extra_do_not_pass(out):
    logging.getLogger("library").error("seen", stack_info=True, extra={"thing": CANARY})
    get_logger("tollbridge.test").error("seen", stack_info=True)
    assert "CANARY" not in out.getvalue()
    assert "stack_info=True" not in out.getvalue()


def test_context_variables_are_redacted_too(lines):
    structlog.contextvars.bind_contextvars(tid="abc", token=CANARY)
    get_logger("tollbridge.test").info("seen")
    (line,) = lines()
    assert (line["tid"], line["token"]) == ("abc", "[redacted]")


def test_uncaught_exceptions_go_through_the_log(out):
    install_excepthooks()
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: int(CANARY))
    thread.start()
    thread.join()
    sys.unraisablehook(
        SimpleNamespace(exc_type=ValueError, exc_value=error, exc_traceback=None, object=None)
    )
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert out.getvalue().count("uncaught exception") == 3
    assert "CANARY" not in out.getvalue()


def test_a_link_that_is_to_be_used_stays_whole_in_one_line(lines):
    link = "http://127.0.0.1:8080/verify?token=abcdef0123456789"
    get_logger("t").info("mail_written", link=Unmasked(link), other=link)
    [line] = lines()
    assert line["link"] == link
    assert "abcdef" not in line["other"]
    assert redact(Unmasked("a\nb")) == "a\\nb"
    assert len(redact(Unmasked("a" * 10_000))) == 2000


def test_redact_keeps_plain_data():
    class Colour(Enum):
        RED = "red"

    assert redact({"a": (1, 2.5, None, True), "b": {"c"}}) == {
        "a": [1, 2.5, None, True],
        "b": ["c"],
    }
    assert redact([Kind.INTERNAL, Colour.RED]) == ["internal", "red"]
    assert redact([PurePosixPath("a/b"), date(2026, 1, 2)]) == ["a/b", "2026-01-02"]
    assert len(redact(list(range(500)))) == 51
    assert len(redact({str(number): 1 for number in range(500)})) == 51
    assert len(redact("x" * 10_000)) == 2000
    deep = CANARY
    for _ in range(20):
        deep = [{"x": deep}]
    assert "CANARY" not in str(redact(deep))


secrets = st.sampled_from([f"sk-{CANARY}", f"Bearer {CANARY}", CANARY.encode(), Opaque()])
nested = st.recursive(
    secrets | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(nested)
def test_no_nesting_hides_a_canary(value):
    assert "CANARY" not in json.dumps(redact(value))
