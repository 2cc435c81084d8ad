"""Every recorded answer in each other protocol: the vendors' own clients take it, and it says the same.

Left out are recordings that are no norm (dialogues.py). Media that the corpus has shortened are no
base64 any more, so answers with such are not shown to Google's client, which decodes them.
"""

import json

import pytest

from tests.conformance import crossing, dialogues, judges, plainly
from tests.conformance.dialogues import PAIRS, Dialogue

# What a recording lacks of a proper end; these are cuts.
CUT = {
    "78b167dba5ed": "no finish reason",
    "5f9dc036d461": "no finish reason",
    "edce5cbe27f6": "ends after its first chunk",
}
# Sound is refused in requests of the others, so their clients never get such an answer.
SPOKEN = frozenset({"98f067464009"})
SHORTENED = frozenset({"a64dae5dfa28", "bb53d963cab3"})


def recorded(corpus, up, *, streams):
    return [
        one
        for one in dialogues.answered(corpus)
        if one.wire == up and one.streamed is streams and one.id not in SPOKEN
    ]


def is_sound(one: Dialogue) -> bool:
    return one.id not in CUT and not plainly.is_faulty(one.objects)


def expected(one: Dialogue, client: str) -> plainly.Said:
    """Return what the client is to read, by the documented rules of what its protocol has."""
    said = plainly.said(one.wire, one.objects, streamed=one.streamed)
    # A fault of the model that has said something is an end like any other, a pause too.
    if said.stop in {"fault", "paused"}:
        said.stop = "call" if said.calls else "stop"
    # A refusal in Chat Completions is an end like any other, but Responses have no other sign of it.
    if client == "responses" and said.refused and said.stop == "stop":
        said.stop = "policy"
    if client in {"messages", "gemini"}:
        said.calls = [_call(*call, client, said.stop) for call in said.calls]
        said.calls = [call for call in said.calls if call[0]]
    return said


def _call(name, arguments, client, stop):
    """Free text is a field `input`; what the limit has cut off is no call where only whole ones are."""
    if not isinstance(arguments, str):
        return name, arguments
    if stop == "length":
        return (name, ...) if client == "messages" else ("", ...)
    return name, {"input": arguments}


def differences(want: plainly.Said, got: plainly.Said) -> list[str]:
    found = [name for name in ("text", "thoughts", "stop") if vars(want)[name] != vars(got)[name]]
    calls = [
        (name, theirs if ours is ... else ours)
        for (name, ours), (_, theirs) in zip(want.calls, got.calls, strict=False)
    ]
    if len(want.calls) != len(got.calls) or calls != got.calls:
        found.append("calls")
    # A vendor that says nothing, or nought for a long answer, says nothing to compare.
    if want.used not in {None, (0, 0)} and want.used != got.used:
        found.append("used")
    return found


@pytest.mark.parametrize(("up", "client"), PAIRS)
def test_whole_answers(corpus, up, client):
    wrong, seen = {}, 0
    for one in recorded(corpus, up, streams=False):
        if not is_sound(one) or (client == "gemini" and one.id in SHORTENED):
            continue
        made = crossing.whole(one, client, json.dumps(one.body).encode())
        assert made.finished and not made.faulty, one.id
        objects = [judges.whole(client, made.body)]
        got = plainly.said(client, objects, streamed=False)
        if found := differences(expected(one, client), got):
            wrong[one.id] = found
        seen += 1
    assert wrong == {}
    assert seen > 130


@pytest.mark.parametrize(("up", "client"), PAIRS)
def test_streams(corpus, up, client):
    wrong, seen = {}, 0
    for one in recorded(corpus, up, streams=True):
        if not is_sound(one) or (client == "gemini" and one.id in SHORTENED):
            continue
        made = crossing.streamed(one, client, one.pieces())
        assert made.tap.finished and made.tap.error is None, one.id
        assert not judges.has_terminal(client, made.early), one.id
        assert judges.has_terminal(client, made.late), one.id
        objects = judges.stream(client, made.frames)
        got = plainly.said(client, objects, streamed=client == "gemini")
        if found := differences(expected(one, client), got):
            wrong[one.id] = found
        seen += 1
    assert wrong == {}
    assert seen > 110


@pytest.mark.parametrize("up", dialogues.WIRES)
def test_the_pieces_of_a_stream_change_nothing(corpus, up):
    client = dialogues.WIRES[dialogues.WIRES.index(up) - 1]
    for one in recorded(corpus, up, streams=True)[::3]:
        at_once = crossing.streamed(one, client, [one.sse or b""])
        assert at_once.frames == crossing.streamed(one, client, one.pieces()).frames, one.id


def test_an_error_or_a_cut_is_never_a_success(corpus):
    """Also in recordings that are no norm."""
    seen = 0
    for one in dialogues.load(corpus):
        if one.status != 200 or (is_sound(one) and one.id not in CUT):
            continue
        for client in dialogues.WIRES:
            if client == one.wire:
                continue
            if one.streamed:
                made = crossing.streamed(one, client, one.pieces())
                assert made.tap.error or not made.tap.finished, one.id
                assert not judges.has_terminal(client, made.frames), one.id
            else:
                whole = crossing.whole(one, client, json.dumps(one.body).encode())
                assert whole.faulty or not whole.finished, one.id
            seen += 1
    assert seen >= 15
