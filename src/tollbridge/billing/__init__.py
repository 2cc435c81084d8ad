"""Money: the ledger, its bounds and prices; the only writer of balances."""
