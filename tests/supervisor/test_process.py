"""Proof of what one forked worker is, reports and leaves. A fork is made in a process without threads."""

import subprocess
import sys
from textwrap import dedent

_PRELUDE = """
import os, signal, socket, sys, time
from pathlib import Path
from tollbridge.core.telemetry import configure_logging
from tollbridge.supervisor.process import Process, Work

configure_logging("info", "json")
listener = socket.socket()
mine = os.open("/dev/null", os.O_RDONLY)

def run(serve, kill=None):
    work = Work(serve, (LookupError,))
    process = Process.start(work, (3, 4), listener, Path("/nowhere"), [mine])
    while not process.look():
        if process.ready and kill:
            process.send(kill)
        time.sleep(0.01)
    process.send(signal.SIGKILL)
    print(process.ready, process.status, process.sentence)
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _PRELUDE + dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_it_knows_its_post_and_ends_with_its_work():
    done = ran("""
        def serve(post):
            same = post.listener.fileno() == listener.fileno()
            print(post.index, post.count, post.folder, same, flush=True)
            post.ready()
        run(serve)
        """)
    assert done.stdout == "3 4 /nowhere True\nTrue 0 \n"


def test_an_error_for_the_operator_is_told_and_no_other_is():
    done = ran("""
        def sayable(post):
            raise LookupError("no database at all")
        def secret(post):
            post.ready()
            raise ValueError("a secret")
        run(sayable)
        run(secret)
        """)
    assert done.stdout == "False 1 no database at all\nTrue 1 \n"
    assert "worker failed" in done.stderr
    assert "a secret" not in done.stderr


def test_a_sentence_has_its_limit():
    done = ran("""
        def serve(post):
            raise LookupError("x" * 100_000)
        run(serve)
        """)
    assert 1000 < len(done.stdout) < 3000


def test_a_signal_ends_it_as_it_would_any_process():
    done = ran("""
        def serve(post):
            post.ready()
            signal.pause()
        run(serve, signal.SIGTERM)
        """)
    assert done.stdout == "True -15 \n"


def test_it_has_no_handlers_descriptors_or_group_of_its_parent():
    done = ran("""
        signal.signal(signal.SIGTERM, lambda *_: print("parent's handler"))
        group = os.getpgid(0)
        def serve(post):
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
            assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
            assert os.getpgid(0) == os.getpid() != group
            try:
                os.fstat(mine)
            except OSError:
                post.ready()
        run(serve)
        """)
    assert done.stdout == "True 0 \n"
