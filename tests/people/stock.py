"""Owns a small catalogue for tests of keys: two channels, one of them not for everybody, three models."""

STOCK = """
[[model]]
name = "gpt-test"
context = 200000
max_output = 32768
input = "2.50"
output = "10.00"

[[model]]
name = "gpt-other"
context = 200000
max_output = 32768
input = "2.50"
output = "20.00"

[[model]]
name = "gpt-*"
context = 200000
max_output = 32768
input = "2.50"
output = "10.00"

[[channel]]
name = "main"
platform = "openai"
models = ["gpt-test", "gpt-wild*"]
multiplier = "0.25"

[[channel.account]]
name = "one"
base_url = "https://vendor.example"
secret = "vendor-secret"

[[channel]]
name = "vault"
platform = "openai"
models = ["gpt-test", "gpt-other"]
multiplier = "2.0"
groups = ["vip"]
"""
