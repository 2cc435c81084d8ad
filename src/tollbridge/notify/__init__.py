"""Telling people and their machines: mail, signed webhooks, the outbox before them, alerts."""
