"""The control plane's JSON API at /api/admin, for operators and their scripts."""
