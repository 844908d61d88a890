"""RIME has two ways in; what the trial says of logins holds for keys as well."""

import dataclasses

import pytest

from tasks.metrics.rime import PROVIDER
from worker.kit import run
from worker.kit.trials import rime


@pytest.mark.timeout(300)
def test_with_a_key_every_promise_is_kept_and_nothing_is_posted() -> None:
    """The same trial by API key, and no path where one may log in."""
    trial = dataclasses.replace(rime.TRIAL(), settings=rime.by_key, logins=())

    outcomes = list(run.run(PROVIDER, trial))

    assert [outcome for outcome in outcomes if outcome.state == "broken"] == []
