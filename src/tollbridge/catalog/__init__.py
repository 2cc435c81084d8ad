"""The catalogue: channels, accounts, models and prices, and the snapshot the relay reads."""
