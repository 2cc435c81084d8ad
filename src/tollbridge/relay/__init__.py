"""The relay: the path of a metered call from the edge to an upstream account and back."""
