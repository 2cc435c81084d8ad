"""The JSON control plane and configuration as a file."""
