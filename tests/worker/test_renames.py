"""Promises of what tells of renames: each is told at once, once it is over, and nothing else is."""

import os
import sys

import pytest

from worker.renames import Renames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify: Linux alone has it")


@pytest.fixture
def renames(tmp_path):
    made = Renames(str(tmp_path))
    yield made
    made.close()


def test_a_rename_is_told(renames, tmp_path):
    """Also one that came before the wait."""
    (tmp_path / "draft").write_text("x")
    (tmp_path / "draft").rename(tmp_path / "bell")

    assert renames.wait(10)


def test_a_word_is_said_once(renames, tmp_path):
    """Many renames are one word, and there is nothing to hear after it."""
    (tmp_path / "draft").write_text("x")
    for number in range(100):
        (tmp_path / ("draft" if number == 0 else str(number))).rename(tmp_path / str(number + 1))

    assert renames.wait(0)
    assert not renames.wait(0)


def test_what_is_being_written_is_not_told(renames, tmp_path):
    """Nobody is woken to find half a bell, nor by one that goes."""
    (tmp_path / "draft").write_text("x")
    (tmp_path / "draft").unlink()

    assert not renames.wait(0)


def test_another_folder_is_not_told(renames, tmp_path):
    """Whatever happens below."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "draft").write_text("x")
    (tmp_path / "below" / "draft").rename(tmp_path / "below" / "bell")

    assert not renames.wait(0)


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    """Whoever asked polls instead."""
    with pytest.raises(FileNotFoundError):
        Renames(str(tmp_path / "nowhere"))


def test_nothing_stays_open(tmp_path):
    """Closed, or forgotten, or never begun: the descriptor is free again."""
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 -- numbers, no files of ours

    Renames(str(tmp_path)).close()
    made = Renames(str(tmp_path))
    del made
    with pytest.raises(FileNotFoundError):
        Renames(str(tmp_path / "nowhere"))

    assert len(os.listdir("/proc/self/fd")) == len(before)  # noqa: PTH208
