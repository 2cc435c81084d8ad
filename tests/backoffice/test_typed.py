"""Lists, maps and faults in fields."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.backoffice.test_channel_form import posted
from tollbridge.backoffice import typed
from tollbridge.catalog.fields import FileError
from tollbridge.core.language import LANGUAGES
from tollbridge.core.phrase import phrase
from tollbridge.web.forms import Form
from tollbridge.web.render import environment


@pytest.mark.parametrize(
    ("field", "known", "name"),
    [
        ("rpm", {"rpm"}, "rpm"),
        ("peak.from", {"peak_from"}, "peak_from"),
        ("tiers.0.above", {"tiers"}, "tiers"),
        ("", {"rpm"}, typed.WHOLE),
        ("other", {"rpm"}, typed.WHOLE),
    ],
)
def test_a_fault_stands_beside_its_field(field: str, known: set[str], name: str) -> None:
    form = posted({})
    typed.blame(form, FileError(1, "is 5% off", field), known)
    assert form.errors == {name: "Is 5% off."}


def test_a_fault_is_said_in_the_language_of_the_page() -> None:
    form = posted({})
    reason = phrase("%(name)s must be %(kind)s", name="<b> 5%", kind=phrase("a whole number"))
    typed.blame(form, FileError(1, reason, "rpm"), {"rpm"})
    shown = {
        language: environment(language)
        .from_string("{{ _(fault) }}")
        .render(fault=form.errors["rpm"])
        for language in LANGUAGES
    }
    assert shown == {
        "en": "&lt;b&gt; 5% must be a whole number.",
        "zh_Hans": "&lt;b&gt; 5% 须为整数。",
    }


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (typed.lines, "a\r\n\n b ", ["a", "b"]),
        (typed.pairs, "a = b\n c=d = e=f ", {"a": "b", "c=d": "e=f"}),
        (typed.headers, "x-a: b: c\nY:", {"x-a": "b: c", "Y": ""}),
        (typed.json_object, ' {"a": [1]} ', {"a": [1]}),
        (typed.json_object, "", {}),
    ],
)
def test_what_is_read(read: Callable[[Form, str], Any], text: str, value: Any) -> None:
    form = posted({"f": text})
    assert read(form, "f") == value and form.ok


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (typed.pairs, "a=b"), (typed.pairs, "a = "), (typed.pairs, "a = b\na = c"),
        (typed.headers, "x"), (typed.headers, "x: 1\nx: 2"), (typed.json_object, "[]"),
        (typed.json_object, "{"), (typed.json_object, "[" * 100_000),
        (typed.json_object, '{"a": "\\ud800"}'), (typed.json_object, '{"a": 1e999}'),
        (typed.json_object, '{"\\udfff": 1}'), (typed.json_object, '{"a": NaN}'),
    ],
)  # fmt: skip
def test_what_is_refused(read: Callable[[Form, str], Any], text: str) -> None:
    form = posted({"f": text})
    assert read(form, "f") == {} and list(form.errors) == ["f"]


def test_only_what_was_typed_counts() -> None:
    form = posted({"a": " x ", "b": " ", "c": "-3"})
    assert typed.given_texts(form, ("a", "b")) == {"a": "x"}
    assert typed.given_integers(form, ("b", "c")) == {"c": -3}
