"""Owns where an installation's own secrets come from: the settings' text or the key file.

A command that wants them needs nothing of a serving process. Must not know what they seal.
"""

from tollbridge.core.secrets import Secrets, load_or_create
from tollbridge.core.settings import Settings


def open_secrets(settings: Settings, *, may_create: bool = True) -> Secrets:
    """Return the process's secrets; a new installation gets its key file here if it may.

    Raises SecretsError.
    """
    path = settings.key_path
    if path is None:
        return Secrets.parse(settings.keys)
    return load_or_create(path, may_create=may_create)
