"""Settings: every one is there with its words, the file's and the process's only to read."""

from typing import Any

import pytest

from tests.backoffice.filled import form_in, page, send
from tests.people.operators import noted
from tests.services.pages import House
from tollbridge.api.apply import apply
from tollbridge.backoffice.settings import LABELS, process_settings
from tollbridge.catalog.site_fields import SITE_FIELDS
from tollbridge.catalog.site_rows import site_values
from tollbridge.core.settings import Settings
from tollbridge.storage.unit_of_work import reading

PATH = "/backoffice/settings"


async def stored(house: House) -> dict[str, Any]:
    async with reading(house.engine) as connection:
        return await site_values(connection)


async def boss_of(house: House) -> int:
    return await house.user("boss@example.com", "admin")


async def test_every_setting_is_there_and_explained(house: House) -> None:
    text = (await page(house, await boss_of(house), PATH))[1]
    assert set(LABELS) == {field.name for field in SITE_FIELDS}
    fields = form_in(text, PATH)
    for field in SITE_FIELDS:
        assert field.about in text
        assert (field.name in fields) is not field.file_only, field.name
    for name, one in Settings.model_fields.items():
        assert one.description and f">{name}</th>" in text


async def test_a_change_is_what_apply_makes_of_it(house: House) -> None:
    boss = await boss_of(house)
    fields = form_in((await page(house, boss, PATH))[1], PATH)
    changed = fields | {
        "name": "Bridge",
        "sign_up": "open",
        "sign_up_bonus": "2.5",
        "email_blocked": "Spam.example\nother.example",
        "terms": "# Terms\r\n\r\nBe kind.",
    }
    assert (await send(house, boss, PATH, changed)).status_code == 303
    text = """[site]
name = "Bridge"
sign_up = "open"
sign_up_bonus = "2.5"
email_blocked = ["spam.example", "other.example"]
terms = "# Terms\\n\\nBe kind."
"""
    before = await stored(house)
    await apply(house.engine, house.secrets, text, environ={})
    assert await stored(house) == before
    [(action, _, detail)] = await noted(house)
    assert action == "site.change" and detail["before"]["sign_up"] == "closed"
    assert set(detail["after"]) == {"name", "sign_up", "sign_up_bonus", "email_blocked", "terms"}


async def test_a_form_sent_back_unchanged_changes_nothing(house: House) -> None:
    boss = await boss_of(house)
    await house.set_site(email_allowed=["a.example", "b.example"], refunds="None.", name="<B>")
    before = await stored(house)
    fields = form_in((await page(house, boss, PATH))[1], PATH)
    assert (await send(house, boss, PATH, fields)).status_code == 303
    assert await stored(house) == before and await noted(house) == []


async def test_what_is_the_files_cannot_be_changed_here(house: House) -> None:
    boss = await boss_of(house)
    fields = form_in((await page(house, boss, PATH))[1], PATH)
    sly = {"allow_private_upstreams": "1", "trusted_proxies": "0.0.0.0/0"}
    await send(house, boss, PATH, fields | sly)
    values = await stored(house)
    assert values["allow_private_upstreams"] is False and values["trusted_proxies"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "), ("name", "x" * 65), ("error_profile", "x"), ("sign_up", ""),
        ("sign_up_bonus", "much"), ("sign_up_bonus", "-1"), ("email_allowed", "x" * 321),
        ("terms_version", "x" * 33), ("contact_qq", "\u0007"), ("terms", "x" * 100_001),
    ],
)  # fmt: skip
async def test_what_is_refused_is_told_beside_its_field(
    house: House, field: str, value: str
) -> None:
    boss = await boss_of(house)
    fields = form_in((await page(house, boss, PATH))[1], PATH)
    before = await stored(house)
    answer = await send(house, boss, PATH, fields | {field: value, "contact_email": "a@b.example"})
    assert answer.status_code == 422 and f'id="d-{field}" role="alert"' in answer.text
    assert await stored(house) == before and "a@b.example" in answer.text


@pytest.mark.parametrize("role", ["staff", "user"])
async def test_only_admins_change(house: House, role: str) -> None:
    who = await house.user("who@example.com", role)
    assert (await send(house, who, PATH, {"name": "x"})).status_code == 404
    status, text = await page(house, who, PATH)
    assert status == (200 if role == "staff" else 404)
    assert f'action="{PATH}"' not in text


def test_secrets_of_the_process_are_only_said_to_be_set() -> None:
    settings = Settings(
        redis_url="redis://me:CANARY@192.0.2.1", smtp_password="CANARY", alert_webhook_secret=""
    )
    told = {one.name: one for one in process_settings(settings)}
    assert "CANARY" not in repr(told)
    assert told["redis_url"].given and told["redis_url"].value is None
    assert not told["alert_webhook_secret"].given
    assert told["port"].value == "8080" and told["port"].variable == "TOLLBRIDGE_PORT"
