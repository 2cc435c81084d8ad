"""A whole configuration file that uses every field; tests take parts of it away or add to it."""

SITE = """\
[site]
error_profile = "legacy"
trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
allow_private_upstreams = true
"""
MODEL = """\
[[model]]
name = "gpt-5.4"
context = 400000
max_output = 128000
input = "2.50"
cache_read = "0.25"
output = "10.00"
web_search = "0.01"
tiers = [{above = 200000, input = "5", cache_read = "0.5", output = "15"}]
image = [{size = "1024x1024", quality = "high", price = "0.19"}]
sizes = ["1024x1024"]
n_max = 4
prompt_max = 32000
text_max = 4096
"""
CHANNEL = """\
[[channel]]
name = "main"
platform = "openai"
surfaces = ["chat", "responses"]
models = ["gpt-5.4", "o9-*"]
multiplier = "0.15"
capabilities = ["images"]
client_policy = "any"
groups = ["default", "vip"]
proxy = "http://me:hush@127.0.0.1:3128"
rpm = 600
tpm = 2000000
concurrency = 64

[[channel.account]]
name = "primary"
base_url = "http://127.0.0.1:9000/"
secret = "upstream-key"
weight = 10
priority = 1
compatible = true
cost = "0.5"
rpm = 60
tpm = 100000
concurrency = 4

[[channel.account]]
name = "second"
base_url = "https://api.example.com/openai"
secret_env = "SECOND_KEY"
proxy = "socks5://192.0.2.7:1080"
"""
USER = """\
[[user]]
email = "Demo@example.com"
role = "admin"
group = "vip"
password = "long enough"
credit = "5.00"
rpm = 300
tpm = 1000000
concurrency = 32

[[user.key]]
name = "demo"
secret = "sk-0123456789abcdef0123456789abcdef"
channel = "main"
limit = "2.00"
ips = ["10.1.2.3", "2001:db8::/32"]
models = ["gpt-5.4"]
expires = 2030-01-31T00:00:00Z
may_pin = true
rpm = 30
tpm = 50000
concurrency = 2
budget = "1.50"
budget_period = "week"

[[user.key]]
name = "other"
"""
WHOLE = f"{SITE}\n{MODEL}\n{CHANNEL}\n{USER}"
ENVIRON = {"SECOND_KEY": "from-the-environment"}
