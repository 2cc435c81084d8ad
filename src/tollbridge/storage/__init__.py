"""The only SQL: engines, tables, transactions and the money writers."""
