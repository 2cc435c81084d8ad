"""Signing in with GitHub: the token is asked whose it is, and only the primary address counts."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.services.oidc import Provider, running
from tollbridge.core.secrets import Secrets
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external import Providers, journey
from tollbridge.identity.external_identity import Fault, Identity, ProviderFailed

WAY = journey(
    Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1"), "state", "https://site.test/sign-in/with/gh/back"
)


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    running_provider.reset()
    return running_provider


async def travelled(provider: Provider) -> Identity:
    providers = Providers((SignInProvider.model_validate(provider.configured("gh", "github")),))
    back = provider.visit(await providers.address("gh", WAY))
    answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    return await providers.identity("gh", WAY, answer)


async def test_the_number_is_who_it_is_and_the_primary_address_counts(provider: Provider) -> None:
    other = {"email": "other@example.com", "primary": False, "verified": True}
    main = {"email": "main@example.com", "primary": True, "verified": True}
    provider.tell(emails=[other, main])
    assert await travelled(provider) == Identity("gh", "42", "main@example.com", verified=True)
    sent = provider.asked("/login/oauth/authorize")[0]["fields"]
    assert sent["scope"] == "user:email" and sent["code_challenge_method"] == "S256"
    assert provider.asked("/login/oauth/access_token")[0]["fields"]["code_verifier"]


@pytest.mark.parametrize(
    ("emails", "expected"),
    [
        ([], ""),
        ([{"email": "a@example.com", "primary": False, "verified": True}], ""),
        ([{"email": 5, "primary": True, "verified": True}], ""),
        ([{"email": "a@example.com", "primary": True, "verified": False}], "a@example.com"),
        ([{"email": "a@example.com", "primary": True, "verified": "true"}], "a@example.com"),
    ],
)
async def test_other_addresses_are_never_taken_for_verified(
    provider: Provider, emails: list[Any], expected: str
) -> None:
    provider.tell(emails=emails)
    assert await travelled(provider) == Identity("gh", "42", expected, verified=False)


@pytest.mark.parametrize(
    "options",
    [
        {"person": {"id": True}},
        {"person": {"id": "42"}},
        {"person": {}},
        {"person": []},
        {"emails": {"email": "a@example.com"}},
        {"answers": {"/api/v3/user": [500, "PROVIDER"]}},
        {"answers": {"/login/oauth/access_token": [200, '{"error": "PROVIDER"}']}},
        {"answers": {"/login/oauth/access_token": [200, "access_token=PROVIDER"]}},
    ],
)
async def test_answers_that_are_none_are_faults(
    provider: Provider, options: dict[str, Any]
) -> None:
    provider.tell(**options)
    with pytest.raises(ProviderFailed) as caught:
        await travelled(provider)
    assert caught.value.fault in (Fault.ANSWER, Fault.DECLINED)
    assert "PROVIDER" not in str(caught.value)


async def test_without_an_own_server_the_browser_goes_to_github() -> None:
    table = {"name": "gh", "kind": "github", "client_id": "c", "client_secret": "s"}
    url = await Providers((SignInProvider.model_validate(table),)).address("gh", WAY)
    assert url.startswith("https://github.com/login/oauth/authorize?")
