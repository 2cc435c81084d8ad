"""Proof of what Anthropic is told beside the body: its version always, betas by the list."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.anthropic import ANTHROPIC, passing

VERSION = b"anthropic-version: 2023-06-01\r\n"
ONE_MILLION, TTL = "context-1m-2025-08-07", "extended-cache-ttl-2025-04-11"


def lines(native=True, **headers):
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return ANTHROPIC.client_lines(named, native=native)


def test_who_calls_is_said_in_its_own_header():
    assert ANTHROPIC.auth_lines("sk-ant-1") == b"x-api-key: sk-ant-1\r\n"


def test_the_version_is_there_whoever_calls():
    assert lines() == lines(native=False) == VERSION
    assert lines(native=False, anthropic_version=b"2024-02-03") == VERSION


@pytest.mark.parametrize(
    "version",
    [b"", b"latest", b"1999-01-01", b"2024-1-1", b"2024-01-01 ", b"2024-01-01\r\nx: y", b"\xff"],
)
def test_a_clients_version_passes_only_if_it_is_one(version):
    assert lines(anthropic_version=b"2024-02-03") == b"anthropic-version: 2024-02-03\r\n"
    assert lines(anthropic_version=version) == VERSION


def test_known_betas_pass_in_their_order():
    header = f" {TTL},{ONE_MILLION} ".encode()
    assert (
        lines(anthropic_beta=header)
        == VERSION + f"anthropic-beta: {TTL},{ONE_MILLION}\r\n".encode()
    )
    assert lines(native=False, anthropic_beta=header) == VERSION


@pytest.mark.parametrize(
    "beta",
    [
        "",
        "unknown-2025-01-01",
        "fast-mode-2026-02-01",
        "files-api-2025-04-14",
        "context-1m",
        "context-1m-2025-08",
        "context-1m-2025-08-07-x",
        "CONTEXT-1M-2025-08-07",
        "context-1m-2025-08-07\r\nx: y",
        "context-1m-x-2025-08-07",
        "-2025-08-07",
    ],
)
def test_all_other_betas_stay_here(beta):
    assert passing(beta.encode()) == []
    assert lines(anthropic_beta=beta.encode()) == VERSION
    assert passing(f"{beta},{ONE_MILLION}".encode()) == [ONE_MILLION]


@given(st.binary(max_size=60) | st.text("-,0123456789abefflmtx \r\n", max_size=60).map(str.encode))
def test_whatever_a_client_writes_lines_stay_lines(header):
    sent = lines(anthropic_beta=header, anthropic_version=header)
    assert re.fullmatch(
        rb"anthropic-version: [0-9-]{10}\r\n(anthropic-beta: [a-z0-9,-]+\r\n)?", sent
    )


def test_betas_of_what_a_vendor_keeps_pass_where_that_is_asked_for():
    headers = {b"anthropic-beta": b"files-api-2025-04-14,fast-mode-2026-01-01,pdfs-2024-09-25"}
    kept = b"anthropic-beta: files-api-2025-04-14,pdfs-2024-09-25\r\n"
    assert ANTHROPIC.keeping_lines(headers) == VERSION + kept
    assert ANTHROPIC.client_lines(headers, native=True) == (
        VERSION + b"anthropic-beta: pdfs-2024-09-25\r\n"
    )
