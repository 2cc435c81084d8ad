"""Tollbridge: an AI API gateway that sells prepaid access and explains every cent."""

__version__ = "0.1.0"
