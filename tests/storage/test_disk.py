"""The twin of storage/disk.py: the lock for life, the reserve and free space."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tollbridge.storage.disk import DatabaseInUse, DatabaseLock, Reserve

_HOLD_LOCK = """
import sys, time
from pathlib import Path
from tollbridge.storage.disk import DatabaseLock
DatabaseLock(Path(sys.argv[1])).take()
print("taken", flush=True)
time.sleep(600)
"""


def reserve(folder, size=4096, min_free=0):
    return Reserve(folder / "books.db", size, min_free)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_only_one_holds_the_lock(tmp_path):
    first, second = DatabaseLock(tmp_path / "a.db"), DatabaseLock(tmp_path / "a.db")
    first.take()
    with pytest.raises(DatabaseInUse, match=r"serves from a\.db"):
        second.take()
    DatabaseLock(tmp_path / "b.db").take()
    first.release()
    second.take()
    second.release()
    second.release()


def test_two_names_of_one_file_share_the_lock(tmp_path):
    (tmp_path / "real.db").touch()
    (tmp_path / "alias.db").symlink_to("real.db")
    first, second = DatabaseLock(tmp_path / "real.db"), DatabaseLock(tmp_path / "alias.db")
    first.take()
    with pytest.raises(DatabaseInUse):
        second.take()
    first.release()


def test_a_failed_attempt_leaks_no_file(tmp_path):
    first, second = DatabaseLock(tmp_path / "a.db"), DatabaseLock(tmp_path / "a.db")
    first.take()
    before = open_files()
    for _ in range(5):
        with pytest.raises(DatabaseInUse):
            second.take()
    assert open_files() == before
    first.release()


def test_a_killed_process_frees_the_lock(tmp_path):
    lock = DatabaseLock(tmp_path / "a.db")
    command = [sys.executable, "-c", _HOLD_LOCK, str(tmp_path / "a.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "taken\n"
        with pytest.raises(DatabaseInUse):
            lock.take()
        child.send_signal(signal.SIGKILL)
    lock.take()
    lock.release()


def test_the_reserve_takes_real_blocks_and_gives_them_up(tmp_path):
    kept = reserve(tmp_path, 1 << 20)
    kept.keep()
    kept.keep()
    file = tmp_path / "books.db.reserve"
    assert file.stat().st_size == 1 << 20
    assert file.stat().st_blocks * 512 >= 1 << 20
    kept.give_up()
    kept.give_up()
    assert not file.exists()


def test_a_reserve_of_another_size_is_made_anew(tmp_path):
    reserve(tmp_path, 100).keep()
    reserve(tmp_path, 200).keep()
    assert (tmp_path / "books.db.reserve").stat().st_size == 200


def test_there_is_no_reserve_where_it_would_fill_the_disk(tmp_path):
    reserve(tmp_path, 4096, min_free=1 << 60).keep()
    reserve(tmp_path, 1 << 60).keep()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_reserve_is_no_error(tmp_path):
    (tmp_path / "books.db.reserve").mkdir()
    kept = reserve(tmp_path)
    kept.keep()
    kept.give_up()
    assert (tmp_path / "books.db.reserve").is_dir()


def test_admission_needs_free_space(tmp_path):
    assert reserve(tmp_path, min_free=0).admits
    assert not reserve(tmp_path, min_free=1 << 60).admits
    assert reserve(tmp_path).free_bytes() > 0


def test_a_disk_that_does_not_answer_admits_nothing(tmp_path):
    assert not reserve(tmp_path / "missing").admits
