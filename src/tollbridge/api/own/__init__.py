"""The control plane's JSON API at /api/user, for everybody and what is their own."""
