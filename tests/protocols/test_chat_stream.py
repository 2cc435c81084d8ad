"""Same-protocol streams: what passes, what is held, and what the tap knows at the end."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols import recordings
from tollbridge.protocols.chat_stream import ChatTap, has_marker
from tollbridge.protocols.tap import NOT_SSE, TAIL_MAX, TOO_LARGE
from tollbridge.protocols.usage import Usage

DONE = b"data: [DONE]\n\n"


def frame(delta=None, finish=None, index=0, **fields):
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "c", "model": "up", "choices": choices, **fields}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


ROLE = frame({"role": "assistant", "content": ""})
TEXT = frame({"content": "hi"})
STOP = frame({}, "stop")
FIGURES = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USAGE = frame(usage=FIGURES)


def run(pieces, **options):
    tap = ChatTap(**options)
    shown = b"".join([tap.feed(piece) for piece in pieces])
    tap.close()
    return tap, shown


def split(data, points):
    at = 0
    for point in sorted(points):
        yield data[at:point]
        at = point
    yield data[at:]


def facts(tap):
    return (
        tap.content,
        tap.text_bytes,
        tap.events,
        tap.finished,
        tap.done,
        tap.usage,
        tap.model,
        tap.error,
    )


def test_everything_from_the_finish_on_is_held():
    tap, shown = run([ROLE, TEXT, TEXT, STOP, USAGE, DONE])
    assert shown == ROLE + TEXT + TEXT
    assert tap.finish_text() == STOP + USAGE + DONE
    assert facts(tap) == (True, 4, 5, True, True, Usage(input=3, output=2), "up", None)


def test_frames_that_came_together_are_parted_at_the_finish():
    tap = ChatTap()
    assert tap.feed(ROLE + TEXT + STOP + USAGE[:9]) == ROLE + TEXT
    assert tap.feed(USAGE[9:] + DONE) == b""
    assert tap.finish_text() == STOP + USAGE + DONE


def test_plain_chunks_pass_as_they_are():
    tap = ChatTap()
    tap.feed(ROLE + TEXT)
    for chunk in (TEXT, TEXT, TEXT + TEXT, frame({"content": 'a"b\\'}), TEXT):
        assert tap.feed(chunk) is chunk
    assert (tap.events, tap.text_bytes) == (8, 2 * 6 + 4)


def test_several_choices_end_with_the_last():
    ends = [frame({}, "stop", index=n) for n in range(3)]
    tap, shown = run([ROLE, TEXT, ends[1], TEXT, ends[0], ends[0], TEXT, ends[2], DONE], copies=3)
    assert shown == ROLE + TEXT + ends[1] + TEXT + ends[0] * 2 + TEXT
    assert tap.finish_text() == ends[2] + DONE


@pytest.mark.parametrize(
    ("delta", "content"),
    [
        ({"role": "assistant"}, False),
        ({"content": ""}, False),
        ({"content": None, "tool_calls": []}, False),
        ({"content": "x"}, True),
        ({"reasoning_content": "x"}, True),
        ({"reasoning": "x"}, True),
        ({"refusal": "x"}, True),
        ({"tool_calls": [{"index": 0, "id": "a"}]}, True),
        ({"audio": {"id": "a"}}, True),
        ({"images": [{}]}, True),
    ],
)
def test_what_counts_as_content(delta, content):
    assert run([frame(delta)])[0].content is content


def test_comments_and_filters_are_no_content():
    tap, shown = run([b": PROCESSING\n\n", frame(prompt_filter_results=[{"x": 1}]), ROLE])
    assert not tap.content
    assert shown.startswith(b": PROCESSING\n\n")


def test_an_end_without_finish_is_not_finished():
    tap, shown = run([ROLE, TEXT, TEXT[:20]])
    assert (tap.finished, tap.done, shown, tap.finish_text()) == (
        False,
        False,
        ROLE + TEXT,
        TEXT[:20],
    )


def test_an_unterminated_end_counts():
    tap, _ = run([ROLE, TEXT, STOP, USAGE.rstrip()])
    assert tap.finish_text() == STOP + USAGE.rstrip()
    assert tap.usage == Usage(input=3, output=2)
    assert not run([ROLE, TEXT, STOP, DONE.rstrip()])[0].error


@pytest.mark.parametrize(
    "fault",
    [
        b'data: {"error":{"message":"m","type":"t","code":503}}\n\n',
        b'event: error\ndata: {"error": {"message":"m","type":"t","code":503}}\n\n',
        b'event: error\ndata: {"message":"m","type":"t","code":503}\n\n',
        b'{"error":\n {"message":"m","type":"t","code":503}}',
        frame({"content": ""}, "error", error={"message": "m", "type": "t", "code": 503}),
    ],
)
@pytest.mark.parametrize("before", [[], [ROLE], [ROLE, TEXT, TEXT]])
def test_errors_are_seen_and_held(fault, before):
    tap, shown = run([*before, fault])
    assert (tap.error.message, tap.error.type, tap.error.code, tap.error.status) == (
        "m",
        "t",
        "503",
        503,
    )
    assert shown == b"".join(before)
    assert tap.finish_text() == fault


@pytest.mark.parametrize("body", [b"<html></html>", b'{"choices":[]}', b'{\n"a":1}\n\n'])
def test_an_answer_that_is_no_stream(body):
    tap, _ = run([body])
    assert tap.error == NOT_SSE
    assert tap.finish_text() == body


def test_an_empty_stream_is_no_error():
    assert run([])[0].error is None


def test_usage_without_an_end_mark_and_beside_choices():
    tap, _ = run([ROLE, TEXT, frame({}, "stop", usage=FIGURES)])
    assert (tap.usage, tap.finished, tap.done) == (Usage(input=3, output=2), True, False)
    assert run([frame({"content": "x"}, "stop", x_groq={"usage": FIGURES})])[0].usage == Usage(
        input=3, output=2
    )


def test_later_usage_replaces_and_never_adds():
    early = frame({"content": "x"}, usage={**FIGURES, "completion_tokens": 1, "total_tokens": 4})
    assert run([early, early, STOP, USAGE])[0].usage == Usage(input=3, output=2)


def test_usage_that_only_we_asked_for_is_hidden():
    null = [frame({"content": t}, usage=None) for t in ("", "a", ',"usage":null', "b", "c")]
    tap, shown = run([*null, frame({}, "stop", usage=None), USAGE, DONE], hide_usage=True)
    assert shown == b"".join([frame({"content": t}) for t in ("", "a", ',"usage":null', "b", "c")])
    assert tap.finish_text() == STOP + DONE
    assert tap.usage == Usage(input=3, output=2)


@given(st.lists(st.text(max_size=9), max_size=8), st.lists(st.integers(0, 999), max_size=9))
def test_rewritten_streams_say_the_same_at_any_cut(texts, cuts):
    frames = [frame({"content": text}, usage=None, obfuscation="x") for text in texts]
    stream = b"".join([TEXT, *frames, frame({}, "stop", usage=None), USAGE, DONE])
    wanted = [frame({"content": text}, obfuscation="x") for text in texts]
    clean = b"".join([TEXT, *wanted, STOP, DONE]).replace(b'"model":"up"', b'"model":"mine"')
    for pieces in (split(stream, cuts), [TEXT, *frames, stream[len(TEXT + b"".join(frames)) :]]):
        tap, shown = run(pieces, hide_usage=True, rename="mine")
        assert shown + tap.finish_text() == clean
        assert tap.usage == Usage(input=3, output=2)


def test_usage_beside_choices_is_hidden_too():
    tap, _ = run([TEXT, frame({}, "stop", usage=FIGURES), DONE], hide_usage=True)
    assert tap.finish_text() == STOP + DONE


def test_a_mapped_model_has_the_clients_name_everywhere():
    said = TEXT.replace(b'"hi"', b'"\\"model\\":\\"up\\""')
    tap, shown = run([ROLE, TEXT, TEXT, said, said, STOP, USAGE, DONE], rename='my "m"\\1')
    pieces = (shown + tap.finish_text()).split(b"\n\n")
    chunks = [json.loads(piece[6:]) for piece in pieces if piece.startswith(b"data: {")]
    assert {chunk["model"] for chunk in chunks} == {'my "m"\\1'}
    assert chunks[3]["choices"][0]["delta"]["content"] == '"model":"up"'
    assert tap.model == "up"


def test_too_long_a_tail_is_a_fault():
    tap = ChatTap()
    tap.feed(STOP)
    for _ in range(TAIL_MAX // 1_000_000 + 1):
        tap.feed(b"data: " + b"x" * 1_000_000 + b"\n\n")
    assert tap.error == TOO_LARGE


def test_too_long_a_frame_is_a_fault():
    tap = ChatTap()
    for _ in range(TAIL_MAX // 1_000_000 + 1):
        tap.feed(b"x" * 1_000_000)
    assert tap.error == TOO_LARGE


STRINGS = st.text(alphabet=st.sampled_from('"\\:{}[], \nnulusagefinish_reaDONE'), max_size=30)
MARKS = st.sampled_from(
    ["finish_reason", '"finish_reason":"stop"', '"usage":{', '\\"usage":{}', "\\", '"']
)


@given(st.lists(MARKS | STRINGS, max_size=4).map("".join), st.booleans())
def test_text_never_looks_like_a_marker(text, ascii_only):
    """The claim behind the byte search: a key cannot be written inside a string."""
    chunk = {"choices": [{"delta": {"content": text}, "finish_reason": None}], "usage": None}
    data = json.dumps(chunk, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    # A text that ends in the name costs a look at the JSON, which is harmless.
    if not text.endswith(("finish_reason", "usage")) and "[DONE]" not in text:
        assert not has_marker(data)


@given(
    st.lists(MARKS | STRINGS, max_size=3).map("".join),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "  :\t")]),
    st.sampled_from(
        [{"finish_reason": "stop"}, {"usage": {"prompt_tokens": 1}}, {"error": {"message": "x"}}]
    ),
    st.booleans(),
)
def test_a_marker_is_never_missed(text, separators, mark, first):
    chunk = {"content": text, "finish_reason": None, "usage": None}
    for name in mark:
        chunk.pop(name, None)
    chunk = {**mark, **chunk} if first else {**chunk, **mark}
    assert has_marker(json.dumps(chunk, separators=separators).encode())


TEXTS = st.lists(
    STRINGS
    | st.sampled_from(["é", "\u4f60", "\ud83d\ude00"]).map(
        lambda s: s.encode("utf-16", "surrogatepass").decode("utf-16")
    ),
    max_size=8,
)


@given(TEXTS, st.booleans(), st.sampled_from([b"\n", b"\r\n"]), st.data())
def test_any_cut_says_the_same(texts, ascii_only, end, data):
    frames = [frame({"content": text}, obfuscation="x" * n) for n, text in enumerate(texts)]
    if not ascii_only:
        frames = [json.dumps(json.loads(f[6:]), ensure_ascii=False).encode() for f in frames]
        frames = [b"data: " + f + b"\n\n" for f in frames]
    stream = b"".join([ROLE, *frames, STOP, USAGE, DONE]).replace(b"\n", end)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
    whole, all_shown = run([stream])
    tap, shown = run(split(stream, cuts))
    assert shown == all_shown
    assert shown + tap.finish_text() == stream
    assert facts(tap) == facts(whole)
    assert tap.text_bytes == sum(len(text.encode()) for text in texts)


def test_recorded_streams_pass_untouched(corpus):
    """At the recorded cuts, and for short streams of first parties at every single place."""
    ran = 0
    for recording in recordings.load(corpus, "openai_chat"):
        if recording.sse is None:
            continue
        copies = (
            (recording.request or {}).get("n") or 1 if isinstance(recording.request, dict) else 1
        )
        tap, shown = run(recording.chunks(), copies=copies)
        assert shown + tap.finish_text() == recording.sse, recording.file
        check_facts(tap, recording)
        assert b'"finish_reason":"' not in shown or copies > 1, recording.file
        if not recording.compatible and len(recording.sse) < 3_000:
            for at in range(len(recording.sse)):
                again, shown_again = run([recording.sse[:at], recording.sse[at:]], copies=copies)
                assert shown_again == shown and facts(again) == facts(tap), (recording.file, at)
        ran += 1
    print(f"streams checked: {ran}")
    assert ran > 160


def check_facts(tap, recording):
    events = recording.events()
    choices = [choice for event in events for choice in event.get("choices") or ()]
    deltas = [choice.get("delta") or {} for choice in choices]
    told = ("content", "refusal", "tool_calls", "reasoning", "reasoning_content")
    assert tap.content == any(delta.get(name) for delta in deltas for name in told), recording.file
    assert tap.finished == any(choice.get("finish_reason") for choice in choices), recording.file
    assert tap.done == (b"[DONE]" in recording.sse), recording.file
    assert (tap.error is not None) == any(event.get("error") for event in events), recording.file
    blocks = [event.get("usage") or (event.get("x_groq") or {}).get("usage") for event in events]
    blocks = [block for block in blocks if block]
    expected = recordings.plain_usage(blocks[-1]) if blocks else None
    usage = tap.usage
    assert (usage is None) == (expected is None), recording.file
    if usage is not None:
        assert (usage.tokens_in(), usage.output, usage.cache_read) == expected, recording.file
