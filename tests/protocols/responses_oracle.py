"""What the official SDK says of the Responses protocol: its models taken strictly, its accumulator."""

import json
import typing
import warnings

from openai import omit
from openai._models import BaseModel, construct_type
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

# What real answers carry and the SDK's models do not know.
KNOWN_EXTRAS = frozenset(
    {
        ("Response", "store"),
        ("ResponseCustomToolCall", "status"),
        ("ResponseFunctionCallArgumentsDoneEvent", "name"),
    }
)


def _models():
    union = typing.get_args(ResponseStreamEvent)[0]
    found = {}
    for model in typing.get_args(union):
        for literal in typing.get_args(model.model_fields["type"].annotation):
            found[literal] = model
    return found


EVENTS = _models()


def strict(model, value):
    """Validate by the SDK's model; also no field may be there that it does not know."""
    made = model.model_validate(value)
    strangers = list(_strangers(made, model.__name__))
    assert not strangers, strangers
    return made


def _strangers(value, path):
    if isinstance(value, BaseModel):
        name = type(value).__name__
        for extra in value.model_extra or {}:
            if (name, extra) not in KNOWN_EXTRAS:
                yield f"{path}.{extra}"
        for field in type(value).model_fields:
            yield from _strangers(getattr(value, field), f"{path}.{field}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _strangers(one, f"{path}[{index}]")


def strict_response(value):
    return strict(Response, value)


def strict_stream(frames):
    """Check every frame of a stream of ours, its grammar's numbers included; return the events."""
    events = []
    for number, frame in enumerate(frames.decode().split("\n\n")[:-1]):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        strict(EVENTS[event["type"]], event)
        events.append(event)
    return events


def accumulated(events):
    """Return what the SDK's accumulator makes of events; raises what it raises."""
    with warnings.catch_warnings():
        # It says itself that its models do not know all that upstreams send.
        warnings.simplefilter("ignore", UserWarning)
        return _accumulated(events)


def _accumulated(events):
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    last = None
    for event in events:
        if event["type"] == "error" or event["type"] not in EVENTS:
            continue
        made = construct_type(type_=ResponseStreamEvent, value=event)
        state.handle_event(made)
        if event["type"] in {"response.completed", "response.incomplete", "response.failed"}:
            last = event["response"]
    done = state._completed_response
    return last if done is None else done.to_dict()
