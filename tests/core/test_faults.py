"""The twin of core/faults.py: each text has one home, and forms speak by it."""

from pathlib import Path

import pytest

import tollbridge
from tollbridge.core import faults
from tollbridge.web.forms import Form

HOME = Path(tollbridge.__file__).parent
TEXTS = [value for name, value in vars(faults).items() if name.isupper() and name != "N_"]


@pytest.mark.parametrize("text", TEXTS)
def test_no_other_file_says_the_same(text: str) -> None:
    said = [path for path in HOME.rglob("*.py") if f'"{text}"' in path.read_text()]
    assert [path.relative_to(HOME).as_posix() for path in said] == ["core/faults.py"]


def test_forms_say_it() -> None:
    form = Form({"number": ["7"], "choice": ["c"]})
    form.integer("number", most=6)
    form.choice("choice", ["a", "b"])
    assert form.errors == {"number": faults.OUT_OF_RANGE, "choice": faults.NOT_OFFERED}
