"""Promises of the beat table: every entry is a bell for a task that exists."""

import pytest

from worker import app as celery_app
from worker import schedule, settings


@pytest.fixture
def app(tmp_path):
    made = celery_app.make(settings.load({"WAGGLE_HOME": str(tmp_path)}, None))
    made.loader.import_default_modules()
    return made


@pytest.mark.parametrize("name", sorted(schedule.BELLS))
def test_an_entry_rings_for_a_task_on_a_queue(app, name):
    """A misspelt task or queue would ring for nobody."""
    entry = schedule.BELLS[name]

    assert entry["task"] in app.tasks
    assert entry["options"]["queue"] in celery_app.QUEUES
    assert "args" not in entry
    assert "kwargs" not in entry


def test_the_sweep_comes_every_second():
    """Schedules follow within seconds, and a lost bell costs no more than that."""
    entry = schedule.BELLS["sweep"]

    assert entry["schedule"] <= 1
    assert entry["options"]["queue"] == "urgent"


@pytest.mark.parametrize("name", sorted(schedule.BELLS))
def test_a_bell_that_nobody_heard_goes_away(name):
    """A worker that comes back after a day is not met by a day of bells."""
    entry = schedule.BELLS[name]

    assert entry["schedule"] < entry["options"]["expires"] <= max(10, 2 * entry["schedule"])
