"""Which sites there are to sign in with, and what ties a journey's end to its beginning."""

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.secrets import Secrets
from tollbridge.core.sign_in_providers import SignInProvider
from tollbridge.identity.external import Providers, journey

SECRETS = Secrets(b"p" * 32, {"k1": b"k" * 32}, "k1")
STATES = st.text(st.characters(codec="ascii"), min_size=1, max_size=64)


def test_sites_are_found_by_name() -> None:
    table = {"name": "gh", "kind": "github", "client_id": "c", "client_secret": "s"}
    site = SignInProvider.model_validate(table)
    providers = Providers((site,))
    assert providers.names == {"gh"}
    assert providers.site("gh") is site and providers.site("own") is None
    assert not Providers(()).names


@given(STATES, STATES)
def test_a_journey_is_its_state_s_and_tells_nothing_of_it(one: str, other: str) -> None:
    way = journey(SECRETS, one, "https://site.test/back")
    assert way == journey(SECRETS, one, "https://site.test/back")
    # RFC 7636: 43 to 128 of the unreserved characters.
    assert len(way.code_verifier) == 43 and way.code_verifier != way.nonce
    assert (journey(SECRETS, other, "").nonce == way.nonce) == (one == other)
    foreign = Secrets(b"q" * 32, {"k1": b"k" * 32}, "k1")
    assert journey(foreign, one, "").code_verifier != way.code_verifier
