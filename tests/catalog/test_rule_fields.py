"""Proof of the rules in the file: what is read, what is refused with line and reason."""

import pytest

from tests.catalog.sample import CHANNEL, ENVIRON, SITE
from tollbridge.catalog.file import FileError, parse_file


def read(channel="", account="", platform="openai"):
    text = CHANNEL.replace('"openai"\n', f'"{platform}"\n', 1)
    if platform != "openai":
        text = text.replace("compatible = true\n", "\n")
    text = text.replace("[[channel.account]]\n", f"{channel}\n[[channel.account]]\n{account}\n", 1)
    return parse_file(text + "\n" + SITE, ENVIRON).channels[0]


def refusal(**rules):
    with pytest.raises(FileError) as caught:
        read(**rules)
    return caught.value.line, caught.value.reason


def test_without_rules_there_are_none():
    plan = read()
    assert plan.mapping == plan.accounts[0].mapping == plan.accounts[1].mapping == {}


def test_a_channel_and_an_account_have_mappings_of_their_own():
    plan = read(
        'mapping = {"gpt-5.4" = "vendor/up:1", "o9-*" = "up-9"}', 'mapping = {"gpt-5.4" = "x"}'
    )
    assert plan.mapping == {"gpt-5.4": "vendor/up:1", "o9-*": "up-9"}
    assert plan.accounts[0].mapping == {"gpt-5.4": "x"}
    assert plan.accounts[1].mapping == {}


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ('"gpt"', "mapping must be a table"),
        ('["gpt"]', "mapping must be a table"),
        ('{"" = "x"}', "not empty"),
        ('{"a b" = "x"}', "no blanks"),
        ('{"a*b" = "x"}', "wildcard"),
        ('{"a" = ""}', "printable ASCII"),
        ('{"a" = 1}', "printable ASCII"),
        ('{"a" = "x y"}', "printable ASCII"),
        ('{"a" = "x*"}', "without *"),
        ('{"a" = "имя"}', "printable ASCII"),
        ('{"a" = "x\\r\\ny"}', "printable ASCII"),
        ('{"a" = {"b" = "c"}}', "printable ASCII"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(rule, reason):
    line, why = refusal(channel=f"mapping = {rule}")
    assert (line, reason in why) == (15, True), why
    line, why = refusal(account=f"mapping = {rule}")
    assert (line, reason in why) == (17, True), why


@pytest.mark.parametrize("sent", ["a/b", "../x", "x?y", "x%2f", "x:y", ".x", "x#"])
def test_at_gemini_a_name_stays_in_its_segment_of_the_path(sent):
    rule = f'mapping = {{"a" = "{sent}"}}'
    assert "part of a path" in refusal(channel=rule, platform="gemini")[1]
    if sent != "../x":
        assert read(channel=rule, platform="anthropic").mapping == {"a": sent}
    assert read(channel='mapping = {"a" = "up-1.5"}', platform="gemini").mapping == {"a": "up-1.5"}


def test_there_is_an_end_to_rules():
    rules = ", ".join(f'"a{number}" = "x"' for number in range(1_001))
    assert "at most 1000" in refusal(channel=f"mapping = {{{rules}}}")[1]


def test_what_an_account_changes_is_read():
    account = read(
        account='headers = {X-Name = "a value", User-Agent = "me/1"}\n'
        'params = {top_k = 40, metadata = {a = [1, true, "x"]}}\nparams_drop = ["seed", "logprobs"]'
    ).accounts[0]
    assert account.headers == {"x-name": "a value", "user-agent": "me/1"}
    assert account.params == {"top_k": 40, "metadata": {"a": [1, True, "x"]}}
    assert account.params_drop == ("logprobs", "seed")


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Content-Type", "transfer-encoding", "connection", "te", "upgrade",
     "authorization", "x-api-key", "X-Goog-Api-Key", "api-key", "cookie", "proxy-authorization",
     "anthropic-beta", "anthropic-version", "openai-beta", "accept", "accept-encoding", "expect",
     "sec-websocket-key"],
)  # fmt: skip
def test_headers_that_are_the_gateways_own_are_refused(name):
    line, why = refusal(account=f'headers = {{"{name}" = "x"}}')
    assert (line, why) == (17, f"headers: {name.lower()} is the gateway's own")


@pytest.mark.parametrize(
    "rule",
    ['"x"', '{"a b" = "x"}', '{"" = "x"}', '{"a:" = "x"}', '{"a\\r\\nb" = "x"}', "{x-a = 1}",
     '{x-a = ""}', '{x-a = " b"}', '{x-a = "b\\r\\nx-b: c"}', '{x-a = "имя"}', '{x-a = "1", X-A = "2"}',
     '{x-a = "' + "b" * 4_097 + '"}',
     "{" + ", ".join(f'x-{number} = "x"' for number in range(33)) + "}"],
)  # fmt: skip
def test_headers_that_could_break_a_head_are_refused(rule):
    line, why = refusal(account=f"headers = {rule}")
    assert (line, why.startswith("headers")) == (17, True)
    assert "имя" not in why


@pytest.mark.parametrize(
    "name",
    ["model", "max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "n",
     "best_of", "candidateCount", "stream", "stream_options", "tools", "tool_choice", "messages",
     "input", "system", "generationConfig", "generation_config", "thinking", "reasoning_effort",
     "service_tier", "store", "background", "previous_response_id", "modalities", "audio",
     "web_search_options", "MAX_TOKENS", "response_format"],
)  # fmt: skip
def test_fields_that_govern_money_are_neither_set_nor_dropped(name):
    for rule in (f"params = {{{name} = 1}}", f'params_drop = ["{name}"]'):
        line, why = refusal(account=rule)
        assert (line, "governs what a call costs" in why) == (17, True), why


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("params = 1", "must be a table"),
        ('params = {"a b" = 1}', "letters, digits and _"),
        ("params = {a = inf}", "no infinity"),
        ("params = {a = 2026-01-01}", "no dates"),
        ('params = {a = "' + "b" * 16_400 + '"}', "at most 16384"),
        ('params_drop = "a"', "list of strings"),
        ('params_drop = ["a.b"]', "letters, digits and _"),
        ('params_drop = ["a"]\nparams = {a = 1}', "set by params"),
    ],
)
def test_fields_that_make_no_sense_are_refused(rule, reason):
    line, why = refusal(account=rule)
    assert (line, reason in why) == (17, True), why


def test_only_accounts_change_calls():
    for rule in ('headers = {x-a = "b"}', "params = {a = 1}", 'params_drop = ["a"]'):
        assert "has no field" in refusal(channel=rule)[1]
