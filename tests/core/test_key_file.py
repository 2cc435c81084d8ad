"""The twin of core/key_file.py: keys come and go, the pepper and what was sealed stay."""

import json
import os
import threading

import pytest

from tollbridge.core.key_file import add_key, drop_keys, with_new_key, without_keys
from tollbridge.core.secrets import SecretsError, load_or_create


@pytest.fixture
def path(tmp_path):
    load_or_create(tmp_path / "tollbridge.keys")
    return tmp_path / "tollbridge.keys"


def test_a_new_key_is_current_and_the_old_one_still_opens(path):
    before = load_or_create(path)
    sealed = before.seal("x", "row")
    old = before.current_key_id
    added = add_key(path)
    after = load_or_create(path)
    assert (after.current_key_id, after.key_ids) == (added, sorted([old, added]))
    assert after.open(sealed, "row") == "x"
    assert after.key_hash("sk") == before.key_hash("sk")


def test_running_processes_follow_the_file(path):
    running = load_or_create(path)
    old = running.current_key_id
    sealed = running.seal("x", "row")
    add_key(path)
    assert running.open(load_or_create(path).seal("y", "row"), "row") == "y"
    add_key(path)
    newest = load_or_create(path).current_key_id
    assert running.seal("z", "row").split(".")[1] == newest
    drop_keys(path, [old])
    assert running.seal("z", "row").split(".")[1] == newest
    with pytest.raises(SecretsError, match="the file lacks"):
        running.open(sealed, "row")


def test_a_process_does_not_follow_to_another_installations_file(path, tmp_path):
    running = load_or_create(path)
    sealed = running.seal("x", "row")
    load_or_create(tmp_path / "other")
    (tmp_path / "other").replace(path)
    assert running.open(sealed, "row") == "x"
    with pytest.raises(SecretsError, match="another installation's"):
        running.seal("x", "row")
    path.unlink()
    with pytest.raises(SecretsError, match="has gone"):
        running.seal("x", "row")


def test_the_current_key_and_the_pepper_stay(path):
    current = load_or_create(path).current_key_id
    pepper = json.loads(path.read_text())["pepper"]
    with pytest.raises(SecretsError, match="cannot be dropped"):
        drop_keys(path, [current])
    add_key(path)
    drop_keys(path, [current])
    assert json.loads(path.read_text())["pepper"] == pepper
    assert current not in load_or_create(path).key_ids


def test_rights_and_the_place_behind_a_link_are_kept(path, tmp_path):
    path.chmod(0o400)
    link = tmp_path / "link" / "keys"
    link.parent.mkdir()
    link.symlink_to(path)
    add_key(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o400
    assert sorted(tmp_path.iterdir()) == [link.parent, path]
    if os.geteuid() == 0:
        os.chown(path, 65_534, 65_534)
        add_key(path)
        assert (path.stat().st_uid, path.stat().st_gid) == (65_534, 65_534)


def test_what_a_dead_rotation_left_is_taken_away(path, tmp_path):
    (tmp_path / ".tollbridge.keys.new-1f").write_text("half a fi")
    add_key(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_changed_is_a_sentence_and_stays(path, tmp_path):
    with pytest.raises(SecretsError, match="is missing"):
        add_key(tmp_path / "none")
    with pytest.raises(SecretsError, match="cannot be replaced: No such file"):
        add_key(tmp_path / "nowhere" / "none")
    path.write_text("{")
    with pytest.raises(SecretsError, match="not JSON"):
        add_key(path)
    assert path.read_text() == "{"
    path.chmod(0o644)
    with pytest.raises(SecretsError, match="open to other users"):
        add_key(path)


def test_rotations_at_the_same_time_lose_no_key(path):
    added = []
    threads = [threading.Thread(target=lambda: added.append(add_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {*added} < {*load_or_create(path).key_ids}
    assert len({*added}) == 8


def test_the_same_on_a_text(path):
    text, key_id = with_new_key(path.read_text())
    old = load_or_create(path).current_key_id
    assert json.loads(text)["current_key_id"] == key_id
    assert list(json.loads(without_keys(text, [old]))["encryption_keys"]) == [key_id]
