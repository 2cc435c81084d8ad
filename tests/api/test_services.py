"""Proof that the wiring is fixed once made and asks for the present at every request."""

import dataclasses

import pytest

from tests.services.shop import Shop


def test_the_wiring_cannot_be_changed(shop: Shop):
    with pytest.raises(dataclasses.FrozenInstanceError):
        shop.services.ready = bool


async def test_what_changes_is_asked_anew(shop: Shop):
    draining = [False]
    async with shop.client(draining=lambda: draining[0]) as client:
        assert (await client.get("/readyz")).status_code == 200
        draining[0] = True
        assert (await client.get("/readyz")).status_code == 503
