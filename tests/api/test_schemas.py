"""Proof that every answer of both applications is one that their documents declare, and none a failure.

Requests are made up from the documents: such as these allow and such as they do not. Every other one
names things that there are.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.planes import Planes, documents, open_planes

EXAMPLES = 10
HOST = "http://shop.test"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


def operations() -> Iterator[Any]:
    """Yield what both documents describe; who asks is another test's subject."""
    for document in documents().values():
        for methods in document["paths"].values():
            for operation in methods.values():
                del operation["security"]
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            yield found.ok()


OPERATIONS = list(operations())


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    with open_planes(tmp_path_factory.mktemp("planes")) as opened:
        yield opened


@pytest.mark.parametrize("mode", [POSITIVE, NEGATIVE], ids=["allowed", "not allowed"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_answers_are_those_declared(planes: Planes, operation: Any, mode: GenerationMode):
    if mode is NEGATIVE and not _takes_anything(operation):
        return
    token = planes.token("admin")
    checks = [*CHECKS, negative_data_rejection] if mode is NEGATIVE else CHECKS
    asked = 0

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        if mode is POSITIVE and asked % 2:
            _name_things(planes, case)
        case.validate_response(_answer(planes, token, case), checks=checks)

    ask()
    assert asked


def _takes_anything(operation: Any) -> bool:
    """Tell whether anything of a request can be wrong at all."""
    return any(True for _ in operation.iter_parameters()) or bool(operation.body)


def _name_things(planes: Planes, case: Any) -> None:
    for name in case.path_parameters or {}:
        case.path_parameters[name] = planes.things[name]


def _answer(planes: Planes, token: str, case: Any) -> Any:
    sent = requests.Request(**_known(case.as_transport_kwargs(base_url=HOST))).prepare()
    headers = {name: str(text) for name, text in sent.headers.items()}
    return planes.ask(token, case.method, sent.url, headers=headers, content=sent.body)


def _known(arguments: dict[str, Any]) -> dict[str, Any]:
    names = ("method", "url", "headers", "params", "data", "json", "cookies")
    return {name: arguments[name] for name in names if name in arguments}
