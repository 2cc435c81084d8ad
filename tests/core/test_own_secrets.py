import pytest

from tollbridge.core.own_secrets import open_secrets
from tollbridge.core.secrets import SecretsError
from tollbridge.core.settings import Settings


def settings_of(folder, **values):
    return Settings(database=f"sqlite:///{folder}/data/t.db", **values)


def test_a_new_installation_gets_its_key_file_once(tmp_path):
    settings = settings_of(tmp_path)
    first = open_secrets(settings)
    assert settings.key_path.is_file()
    assert settings.key_path.parent != settings.sqlite_path.parent
    assert open_secrets(settings).key_hash("x") == first.key_hash("x")


def test_secrets_can_come_from_the_environment_alone(tmp_path):
    content = open_and_read(settings_of(tmp_path))
    elsewhere = settings_of(tmp_path / "elsewhere", keys=content)
    assert open_secrets(elsewhere).key_hash("x") == open_secrets(settings_of(tmp_path)).key_hash(
        "x"
    )
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(SecretsError):
        open_secrets(settings_of(tmp_path, keys="nonsense"))


def open_and_read(settings):
    open_secrets(settings)
    return settings.key_path.read_text()


def test_whoever_may_not_make_a_key_file_is_told_that_it_is_missing(tmp_path):
    with pytest.raises(SecretsError, match="is missing"):
        open_secrets(settings_of(tmp_path), may_create=False)
    assert list(tmp_path.iterdir()) == []
