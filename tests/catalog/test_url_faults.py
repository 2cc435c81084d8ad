"""The twin of catalog/url_faults.py: what is said of an address is said in every language."""

import ast
import inspect

import pytest

from tollbridge.catalog.url_faults import FAULTS, url_fault
from tollbridge.core.language import said
from tollbridge.upstreams import target
from tollbridge.upstreams.target import Proxy, Target


def raised() -> set[str]:
    """Return what the module raises, without the name of the address before it."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(target))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            last = [one for one in ast.walk(node.exc.args[0]) if isinstance(one, ast.Constant)][-1]
            found.add(str(last.value).partition(": ")[2])
    return found


def test_every_fault_is_marked():
    assert raised() == FAULTS


@pytest.mark.parametrize(
    ("parse", "url"),
    [
        (Target.parse, "ftp://a"),
        (Target.parse, "https://u:p@a"),
        (Target.parse, "https://a?b"),
        (Target.parse, "https://a/../b"),
        (Target.parse, "https://a b"),
        (Target.parse, "https://[1:2]"),
        (Target.parse, "https://"),
        (Target.parse, "https://a:0"),
        (Proxy.parse, "https://a"),
        (Proxy.parse, "http://a/b"),
    ],
)
def test_a_fault_is_the_same_text_and_can_be_said_in_chinese(parse, url: str):
    with pytest.raises(ValueError, match="URL: ") as caught:
        parse(url)
    fault = url_fault(caught.value)
    assert fault == str(caught.value)
    assert not any(word in said("zh_Hans", fault) for word in (" the ", "it ", "URL"))
    assert url_fault(caught.value, "token_url") == "token_url: " + str(fault).partition(": ")[2]


def test_an_unknown_fault_stays_what_it_is():
    assert said("zh_Hans", url_fault(ValueError("base URL: broken"))).endswith("broken")
