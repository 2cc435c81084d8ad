"""Signing in with OpenID Connect, against a provider in a process of its own that can misbehave."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.services.oidc import CLIENT, Provider, running
from tollbridge.core.secrets import Secrets
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external import Providers, journey
from tollbridge.identity.external_identity import Fault, Identity, ProviderFailed

BACK = "https://site.test/sign-in/with/own/back"
SECRETS = Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1")
JWKS, TOKEN, DOCUMENT = "/jwks", "/token", "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    running_provider.reset()
    return running_provider


def sites(provider: Provider, deadline_s: float = 15.0, **more: Any) -> Providers:
    site = SignInProvider.model_validate(provider.configured(**more))
    return Providers((site,), deadline_s=deadline_s)


async def travelled(
    providers: Providers, provider: Provider, state: str = "state-1", **changed: str
) -> Identity:
    """Go there and come back; `changed` is put over what comes back."""
    way = journey(SECRETS, state, BACK)
    back = provider.visit(await providers.address("own", way))
    answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    return await providers.identity("own", way, {**answer, **changed})


async def fault(providers: Providers, provider: Provider, **changed: str) -> Fault:
    with pytest.raises(ProviderFailed) as caught:
        await travelled(providers, provider, **changed)
    assert "PROVIDER" not in str(caught.value)
    return caught.value.fault


@pytest.mark.parametrize("sign", ["RS256", "ES256"])
async def test_who_comes_back_is_known_by_the_site_s_own_id(provider: Provider, sign: str) -> None:
    provider.tell(sign=sign)
    identity = await travelled(sites(provider), provider)
    assert identity == Identity("own", "person-1", "eve@example.com", verified=True)


async def test_the_browser_is_sent_with_pkce_state_nonce_and_our_address(
    provider: Provider,
) -> None:
    way = journey(SECRETS, "state-1", BACK)
    url = urlsplit(await sites(provider).address("own", way))
    sent = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert sent.pop("code_challenge") not in ("", way.code_verifier)
    assert sent == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid email",
        "state": "state-1",
        "nonce": way.nonce,
        "code_challenge_method": "S256",
    }
    other = journey(SECRETS, "state-2", BACK)
    assert {other.nonce, other.code_verifier}.isdisjoint({way.nonce, way.code_verifier})


@pytest.mark.parametrize("offered", [["client_secret_basic"], ["client_secret_post"], None])
async def test_the_client_shows_its_secret_as_the_provider_takes_it(
    provider: Provider, offered: list[str] | None
) -> None:
    provider.tell(discovery={"token_endpoint_auth_methods_supported": offered})
    assert (await travelled(sites(provider), provider)).verified
    in_body = "client_secret" in provider.asked(TOKEN)[0]["fields"]
    assert in_body == (offered == ["client_secret_post"])


async def test_a_wrong_secret_is_a_no(provider: Provider) -> None:
    assert await fault(sites(provider, client_secret="other"), provider) is Fault.DECLINED
    assert await fault(sites(provider, client_secret=""), provider) is Fault.DECLINED


async def test_an_address_may_be_told_by_userinfo_about_the_same_person(provider: Provider) -> None:
    provider.tell(by_userinfo=True)
    assert (await travelled(sites(provider), provider)).email == "eve@example.com"
    provider.tell(userinfo={"sub": "person-2"})
    assert await fault(sites(provider), provider) is Fault.TOKEN


@pytest.mark.parametrize("said", [False, None, 1, "yes", "True", [], "false"])
async def test_only_a_clear_word_verifies_an_address(provider: Provider, said: Any) -> None:
    provider.tell(email_verified=said)
    identity = await travelled(sites(provider), provider)
    assert (identity.email, identity.verified) == ("eve@example.com", False)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"aud": "somebody"},
        {"aud": ["somebody", "else"]},
        {"aud": [CLIENT, "somebody"]},
        {"aud": CLIENT, "azp": "somebody"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": 99_999_999_999},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"at_hash": "bm90IGl0"},
        {"at_hash": ["x"]},
    ],
)
async def test_what_is_not_for_us_or_not_for_now_is_refused(
    provider: Provider, claims: dict[str, Any]
) -> None:
    provider.tell(claims=claims)
    assert await fault(sites(provider), provider) is Fault.TOKEN


@pytest.mark.parametrize("sign", ["none", "HS256", "stranger"])
async def test_signatures_that_anybody_can_make_are_refused(provider: Provider, sign: str) -> None:
    provider.tell(sign=sign)
    assert await fault(sites(provider), provider) is Fault.TOKEN


async def test_an_hmac_with_the_client_s_secret_is_no_signature_either(provider: Provider) -> None:
    provider.tell(sign="HS256", kid="odd")
    assert await fault(sites(provider), provider) is Fault.TOKEN


async def test_keys_are_read_anew_once_for_one_that_is_not_known(provider: Provider) -> None:
    providers = sites(provider)
    await travelled(providers, provider)
    await travelled(providers, provider, "state-2")
    assert len(provider.asked(JWKS)) == 1
    provider.rotate()
    await travelled(providers, provider, "state-3")
    assert len(provider.asked(JWKS)) == 2
    provider.tell(kid="nobody-s")
    assert await fault(providers, provider, state="state-4") is Fault.TOKEN
    assert len(provider.asked(JWKS)) == 3
    assert len(provider.asked(DOCUMENT)) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([500, "PROVIDER-WORDS"], Fault.ANSWER),
        ([200, "PROVIDER-WORDS"], Fault.ANSWER),
        ([200, "[]"], Fault.ANSWER),
        ([200, "{}"], Fault.ANSWER),
        ([200, '{"access_token": 5, "id_token": 5}'], Fault.ANSWER),
        ([200, '{"access_token": "a", "token_type": "Bearer"}'], Fault.ANSWER),
        ([200, '{"access_token": "a", "id_token": "a.b.c"}'], Fault.TOKEN),
        ([200, '{"access_token": "a", "id_token": "PROVIDER"}'], Fault.TOKEN),
        ([200, '{"access_token": "a", "expires_in": []}'], Fault.ANSWER),
        ([302, ""], Fault.ANSWER),
        ([200, " " * (1 << 20) + "{} "], Fault.UNREACHABLE),
        ([400, '{"error": "PROVIDER-WORDS"}'], Fault.DECLINED),
    ],
)
async def test_a_token_endpoint_that_is_broken_is_a_fault(
    provider: Provider, answer: list[Any], expected: Fault
) -> None:
    provider.tell(answers={TOKEN: answer})
    assert await fault(sites(provider), provider) is expected


async def test_silence_ends_at_the_deadline(provider: Provider) -> None:
    way = journey(SECRETS, "state-1", BACK)
    provider.tell(answers={DOCUMENT: "hang"})
    with pytest.raises(ProviderFailed) as caught:
        await sites(provider, deadline_s=0.2).address("own", way)
    assert caught.value.fault is Fault.UNREACHABLE
    provider.tell(answers={TOKEN: "hang"})
    with pytest.raises(ProviderFailed) as caught:
        await sites(provider, deadline_s=0.2).identity("own", way, {"code": "a code"})
    assert caught.value.fault is Fault.UNREACHABLE


@pytest.mark.parametrize("path", [JWKS, "/userinfo"])
@pytest.mark.parametrize("text", ["PROVIDER-WORDS", "[]", '{"keys": 5}', '{"keys": [5, {}]}'])
async def test_other_documents_that_are_broken_are_faults(
    provider: Provider, path: str, text: str
) -> None:
    provider.tell(by_userinfo=True, answers={path: [200, text]})
    assert await fault(sites(provider), provider) in (Fault.ANSWER, Fault.TOKEN)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "ftp://127.0.0.1/"},
        {"token_endpoint": "http://127.0.0.2/token"},
        {"token_endpoint": "https://a@b/"},
        {"token_endpoint": "https://[/"},
        {"authorization_endpoint": "https://evil.example/\r\nx: y"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 5},
    ],
)
async def test_a_document_of_another_site_or_with_odd_addresses_is_refused(
    provider: Provider, document: dict[str, Any]
) -> None:
    provider.tell(discovery=document)
    with pytest.raises(ProviderFailed):
        await sites(provider).address("own", journey(SECRETS, "state-1", BACK))


async def test_an_answer_that_names_another_issuer_is_refused(provider: Provider) -> None:
    assert await fault(sites(provider), provider, iss="https://evil.example") is Fault.ISSUER
    assert (await travelled(sites(provider), provider, iss=provider.issuer)).verified
    provider.tell(discovery={"authorization_response_iss_parameter_supported": True})
    assert await fault(sites(provider), provider) is Fault.ISSUER


async def test_a_code_for_another_journey_is_refused(provider: Provider) -> None:
    providers = sites(provider)
    theirs = journey(SECRETS, "theirs", BACK)
    back = parse_qs(urlsplit(provider.visit(await providers.address("own", theirs))).query)
    assert await fault(providers, provider, code=back["code"][0]) is Fault.DECLINED


@pytest.mark.parametrize("changed", [{"error": "PROVIDER"}, {"code": ""}, {"code": "x" * 5000}])
async def test_who_comes_back_without_a_code_is_nobody(
    provider: Provider, changed: dict[str, str]
) -> None:
    assert await fault(sites(provider), provider, **changed) in (Fault.DECLINED, Fault.ANSWER)
    assert not provider.asked(TOKEN)
