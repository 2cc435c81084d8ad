"""Proof that settings are shown and changed, and that those of the file are the file's."""

import pytest

from tests.api.admin.office import Office, kind, problem
from tollbridge.api.admin.site import SettingsChange
from tollbridge.catalog.site_fields import SITE_FIELDS

PATH = "/api/admin/settings"


def test_all_that_is_not_the_files_can_be_changed():
    assert set(SettingsChange.model_fields) == {
        one.name for one in SITE_FIELDS if not one.file_only
    }


async def test_settings_are_changed_and_written_down(each_office: Office):
    wish = {"name": "A site", "sign_up": "open", "email_blocked": ["X.example"]}
    async with each_office.client() as client:
        for _ in range(2):
            shown = (await client.patch(PATH, json=wish)).json()["items"]
        values = {one["name"]: one["value"] for one in shown}
        assert (values["name"], values["sign_up"]) == ("A site", "open")
        assert values["email_blocked"] == ["x.example"]
        assert (await client.get(PATH)).json()["items"] == shown
        [line] = (await client.get("/api/admin/audit")).json()["items"]
    assert line["action"] == "site.change"
    assert line["detail"]["after"] == wish | {"email_blocked": ["x.example"]}


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ({"allow_private_upstreams": True}, {"body.allow_private_upstreams"}),
        ({"trusted_proxies": ["0.0.0.0/0"]}, {"body.trusted_proxies"}),
        ({"name": " ", "sign_up_bonus": "-1"}, {"body.name", "body.sign_up_bonus"}),
        ({"error_profile": "none"}, {"body.error_profile"}),
        ({"email_allowed": [""]}, {"body.email_allowed"}),
    ],
)
async def test_what_cannot_be_is_named_and_nothing_kept(office: Office, wish, fields):
    async with office.client() as client:
        before = (await client.get(PATH)).json()
        reply = await client.patch(PATH, json=wish | {"contact_qq": "1"})
        assert kind(reply) == (422, "invalid")
        assert {one["field"] for one in problem(reply)["errors"]} == fields
        assert (await client.get(PATH)).json() == before
