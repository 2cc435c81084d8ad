"""The twin of backoffice/parts.py: deny by default: no page of operators without a scope."""

import importlib
import pkgutil

from tests.services.pages import House
from tollbridge import backoffice
from tollbridge.backoffice.parts import PARTS
from tollbridge.identity.scopes import ROLE_SCOPES


def test_every_page_needs_a_scope_that_no_user_has():
    for part in PARTS:
        for (method, path), need in part.needs.items():
            assert path.split("/")[1] == "backoffice", path
            assert need.signed_in and need.scope is not None, (method, path)
            assert need.scope not in ROLE_SCOPES["user"], (method, path)


def test_staff_change_nothing_but_what_staff_may():
    allowed = {"tokens:write", "requests:reverse"}
    for part in PARTS:
        for (method, path), need in part.needs.items():
            if method == "POST" and need.scope in ROLE_SCOPES["staff"]:
                assert need.scope in allowed, (method, path)


def test_no_page_is_declared_twice_and_every_file_is_named():
    declared = [key for part in PARTS for key in part.needs]
    assert len(declared) == len(set(declared)) == sum(len(part.routes) for part in PARTS)
    modules = [
        importlib.import_module(f"{backoffice.__name__}.{found.name}")
        for found in pkgutil.iter_modules(backoffice.__path__)
    ]
    made = {id(module.pages): module.__name__ for module in modules if hasattr(module, "pages")}
    assert set(made) == {id(part) for part in PARTS}, made.values()


async def test_users_find_nothing_there(house: House):
    async with house.browser(await house.user()) as browser:
        for part in PARTS:
            for route in part.routes:
                path = "/".join("1" if "{" in step else step for step in route.path.split("/"))
                for method in route.methods - {"HEAD"}:
                    form = {} if method == "POST" else None
                    answer = await browser.request(method, path, data=form)
                    assert answer.status_code == 404, (method, path)
