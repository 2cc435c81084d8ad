"""Everything that speaks to upstreams: the relay's HTTP/1.1 client and one file a platform."""
