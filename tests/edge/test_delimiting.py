"""HTTP/1.0 and the ASGI half."""

from tests.edge.lane import get, lane


async def test_an_answer_of_unknown_length_ends_with_the_connection():
    async with lane() as running:
        old = await running.ask(get("/unsized", version="1.0"))
        assert old.seen["path"] == "/unsized"
        assert "transfer-encoding" not in old.headers and "content-length" not in old.headers
        new = await running.ask(get("/unsized"))
        assert new.headers["transfer-encoding"] == "chunked"
        sized = await running.ask(get("/page", version="1.0"))
        assert int(sized.headers["content-length"]) == len(sized.body)
