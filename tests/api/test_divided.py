"""Which application a request is for."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from tollbridge.api.divided import ADMIN, OWN, Divided


@pytest.fixture
def client() -> TestClient:
    planes = {ADMIN: PlainTextResponse("admin"), OWN: PlainTextResponse("own")}
    return TestClient(Divided(planes, PlainTextResponse("others")))


@pytest.mark.parametrize(
    ("path", "whose"),
    [
        ("/api/admin", "admin"),
        ("/api/admin/users/1", "admin"),
        ("/api/user", "own"),
        ("/api/user/keys", "own"),
        ("/api/admins", "others"),
        ("/api/users", "others"),
        ("/api", "others"),
        ("/v1/models", "others"),
        ("/", "others"),
    ],
)
def test_the_beginning_of_the_path_decides(client: TestClient, path: str, whose: str) -> None:
    assert client.get(path).text == whose


@pytest.mark.parametrize("path", [ADMIN, OWN])
def test_nobody_on_the_way_keeps_what_the_control_plane_says(client: TestClient, path: str) -> None:
    assert client.get(path).headers["cache-control"] == "no-store"
