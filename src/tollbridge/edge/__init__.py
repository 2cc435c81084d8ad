"""The edge: what stands between a socket and the two halves, relay and ASGI."""
