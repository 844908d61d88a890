"""People call things by names that they can type again."""

from db import names
from tasks.declared import split_name


def test_a_feed_is_called_as_the_file_calls_it() -> None:
    """What is shown can be given to any command."""
    for parts in (("alice", "energy", ""), ("alice", "solar", "roof")):
        assert split_name(names.feed_name(*parts)) == parts


def test_a_day_is_shown_as_dates_are_written() -> None:
    """Eight digits are hard to read."""
    assert names.dashed("20261120") == "2026-11-20"
