"""What the kit can't know: what the file may say."""

import pytest
from pydantic import ValidationError

from waggle_json import PROVIDER, DayParams, Params, Settings
from waggle_json.trial import TRIAL
from worker.kit import run


def test_every_promise_is_kept() -> None:
    """The same that `waggle provider test waggle_json:PROVIDER` says."""
    assert [outcome for outcome in run.run(PROVIDER, TRIAL) if outcome.state == "broken"] == []


@pytest.mark.parametrize("path", ["//x.example.org", "https://x", "../a", "a/../../b", "a//b", ""])
def test_no_path_leaves_the_address(path: str) -> None:
    """The token goes to the declared address, and nowhere else."""
    with pytest.raises(ValidationError):
        Params(path=path, pointer="")


def test_a_path_that_names_no_day_is_refused() -> None:
    """Each day would have the same value."""
    with pytest.raises(ValidationError, match="days would be all alike"):
        DayParams(path="days?from={start}", pointer="/sum")


def test_a_pointer_that_is_none_is_refused() -> None:
    """A slip is told when the file is read."""
    with pytest.raises(ValidationError, match="begin with a slash"):
        Params(path="tank", pointer="litres")


def test_a_header_needs_its_token() -> None:
    """And a new token is the same account."""
    with pytest.raises(ValidationError, match="needs the `token`"):
        Settings(url="https://x.example.org", header="X-Key")
    old, new = (Settings(url="https://x.example.org/", token=token) for token in ("a", "b"))
    assert old.account() == new.account() == "https://x.example.org"
