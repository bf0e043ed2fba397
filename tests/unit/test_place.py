"""Files that last as long as somebody has them open, where they need a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eisenmp.wire import platform
from eisenmp.wire.place import Place


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EISENMP_PORTABLE", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_one_that_is_in_use_is_not_swept(folder: Path) -> None:
    first = Place()
    assert not platform.unlink_if_left(first.address)
    second = Place()
    assert sorted(map(str, folder.iterdir())) == sorted([first.address, second.address])
    first.release()
    second.release()
    assert not list(folder.iterdir())


def test_one_whose_owner_has_ended_is_swept(folder: Path) -> None:
    (folder / "eisenmp-0123456789abcdef").touch()
    place = Place()
    assert [str(path) for path in folder.iterdir()] == [place.address]
    place.release()
    assert platform.unlink_if_left(str(folder / "gone"))


def test_who_was_swept_before_it_had_its_lock_takes_another_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = platform.lock_alone, []

    def late(descriptor: int) -> bool:
        if not swept:
            (name,) = folder.iterdir()
            swept.append(name)
            os.unlink(name)
        return lock(descriptor)

    monkeypatch.setattr(platform, "lock_alone", late)
    place = Place()
    assert [str(path) for path in folder.iterdir()] == [place.address] != [str(swept[0])]
    place.release()


def test_one_without_a_lock_is_swept_by_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "can_lock", lambda: False)
        unlocked = Place()
        assert not platform.unlink_if_left(unlocked.address)
    Place().release()
    assert [str(path) for path in folder.iterdir()] == [unlocked.address]
    unlocked.release()
    assert not list(folder.iterdir())
