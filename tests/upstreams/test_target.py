"""Reading base URLs and proxy URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.upstreams.target import Proxy, Target


def test_a_base_url_is_taken_apart():
    target = Target.parse("https://API.Example.com/openai/v1/", "", allow_private=False)
    assert (target.scheme, target.host, target.port) == ("https", "api.example.com", 443)
    assert (target.tls, target.prefix, target.proxy) == (True, "/openai/v1", None)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://a.test", "a.test"),
        ("https://a.test:443/", "a.test"),
        ("http://a.test:443", "a.test:443"),
        ("http://[0:0::1]:8080", "[::1]:8080"),
        ("http://bücher.test", "xn--bcher-kva.test"),
    ],
)
def test_the_host_header(url, authority):
    assert Target.parse(url).authority == authority


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "scheme"),
        ("ftp://a.test", "scheme"),
        ("a.test", "scheme"),
        ("https://", "host name is missing"),
        ("https://user@a.test", "credentials"),
        ("https://user:secret@a.test", "credentials"),
        ("https://a.test/?q=1", "query"),
        ("https://a.test/#f", "fragment"),
        ("https://a.test/a/../b", "segment"),
        ("https://a.test/%2e%2e", "character"),
        ("https://a.test//b", "character"),
        ("https://a.test:0", "port"),
        ("https://a.test:65536", "port"),
        ("https://a.test:x", "port"),
        ("https://a test", "space"),
        ("https://a.test\r\n", "control"),
        ("https://a.te\tst", "control"),
        ("https://a.test\\b", "backslash"),
        ("https://[::g]", ""),
        ("https://[::1", "cannot be read"),
        ("https://a_%.test", "host name"),
        ("https://-a.test", "host name"),
        ("https://a..test", "host name"),
        ("https://" + "a." * 200 + "test", "host name"),
    ],
)
def test_faults_of_a_base_url_are_named(url, fault):
    with pytest.raises(ValueError, match=f"^base URL: .*{fault}") as caught:
        Target.parse(url)
    assert "a.test" not in str(caught.value)


def test_a_proxy_url_is_taken_apart():
    proxy = Proxy.parse("socks5h://me:p%40ss@Proxy.test")
    assert proxy == Proxy("socks5", "proxy.test", 1080, "me", "p@ss")
    assert Proxy.parse("http://[::1]:3128/") == Proxy("http", "::1", 3128)
    assert "p@ss" not in repr(Target.parse("http://a.test", "http://me:p%40ss@b.test"))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://p.test", "scheme"),
        ("http://p.test/path", "path"),
        ("http://p.test?q", "query"),
        ("http://p.test:99999", "port"),
        ("socks5://", "host name"),
        ("http://me:%0d%0a@p.test", "impossible"),
        ("http://m%3Ae:x@p.test", "impossible"),
        ("socks5://" + "u" * 256 + "@p.test", "255"),
    ],
)
def test_faults_of_a_proxy_url_are_named(url, fault):
    with pytest.raises(ValueError, match=f"^proxy URL: .*{fault}"):
        Target.parse("http://a.test", url)


def test_targets_are_equal_when_one_connection_serves_both():
    one = Target.parse("https://a.test/v1", "http://p.test")
    assert one == Target.parse("https://a.test:443/other", "http://p.test:80")
    assert hash(one) == hash(Target.parse("https://a.test", "http://p.test"))
    for other in (
        Target.parse("https://a.test"),
        Target.parse("http://a.test:443", "http://p.test"),
        Target.parse("https://a.test", "http://u:x@p.test"),
        Target.parse("https://a.test", "http://p.test", allow_private=True),
    ):
        assert one != other


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_a_value_error(text):
    for url in (text, f"http://{text}", f"http://a.test/{text}"):
        try:
            target = Target.parse(url)
        except ValueError:
            continue
        # What goes into the request head can never break out of its line.
        assert not set(target.authority + target.prefix) & set(" \r\n\t\0?#%\\")
        assert (target.authority + target.prefix).isascii()
