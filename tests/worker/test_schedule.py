"""Promises of the schedule: every bell is for a task that exists, in time, and never in a heap."""

import itertools
import json
from contextlib import closing
from functools import partial

import pytest
from celery import beat

from worker import app as celery_app
from worker import schedule, settings
from worker.bells import Bells
from worker.schedule import Bell, Scheduler


@pytest.fixture
def app(tmp_path):
    made = celery_app.make(settings.load({"WAGGLE_HOME": str(tmp_path)}, None))
    made.loader.import_default_modules()
    return made


class Belfry:
    """Bells that are only noted, with the instant; `takes`: seconds that each of them takes."""

    def __init__(self, app, *, takes=0.0):
        self.at, self.rung, self._takes = 1000.0, [], takes
        self.scheduler = Scheduler(app, bells=self, clock=lambda: self.at)

    def ring(self, task, queue, *, expires):
        """As `Bells.ring`."""
        self.rung.append((self.at, task, queue, expires))
        self.at += self._takes
        return True

    def run(self, seconds):
        """As Celery's beat does it: tick, and sleep for as long as the tick says."""
        ends_at = self.at + seconds
        while self.at < ends_at:
            self.at += self.scheduler.tick()

    def times(self, task):
        """When it was rung for."""
        return [at for at, name, *_ in self.rung if name == task]


@pytest.mark.parametrize("bell", schedule.BELLS, ids=lambda bell: bell.task)
def test_a_bell_rings_for_a_task_on_a_queue(app, bell):
    """A misspelt task or queue would ring for nobody."""
    assert f"waggle.{bell.task}" in app.tasks
    assert bell.queue in celery_app.QUEUES


def test_the_sweep_comes_every_second(app):
    """Schedules follow within seconds, and a lost bell costs no more than that."""
    belfry = Belfry(app, takes=0.004)
    belfry.run(600.5)

    swept = belfry.times("sweep")
    assert len(swept) == 600
    assert all(b - a <= 1.02 for a, b in itertools.pairwise(swept))
    assert {queue for _, task, queue, _ in belfry.rung if task == "sweep"} == {"urgent"}


def test_every_bell_has_its_time(app):
    """An hour and a half: each as often as its line says, the first one after its first pause."""
    belfry = Belfry(app)
    belfry.run(5400.5)

    for bell in schedule.BELLS:
        times = belfry.times(bell.task)
        assert len(times) == 5400 // bell.every
        assert times[0] == 1000 + bell.every


def test_beat_sleeps_until_a_bell_is_due(app):
    """An idle one wakes no more than once for each sweep."""
    belfry = Belfry(app)

    assert belfry.scheduler.tick() == schedule.SWEEP_SECONDS
    belfry.at += 0.25
    assert belfry.scheduler.tick() == schedule.SWEEP_SECONDS - 0.25
    assert belfry.rung == []


def test_a_tick_that_comes_late_rings_once(app):
    """A machine that slept for a day is not met by a day of bells."""
    belfry = Belfry(app)
    belfry.at += 86_400
    belfry.scheduler.tick()
    belfry.scheduler.tick()

    assert len(belfry.times("sweep")) <= 2
    assert len(belfry.times("housekeeping")) == 1


def test_a_broker_that_is_away_stops_no_schedule(app):
    """A bell that nobody took is the next one's: the time goes on."""
    belfry = Belfry(app, takes=1.0)
    belfry.ring = lambda *words, **more: Belfry.ring(belfry, *words, **more) and False
    belfry.scheduler = Scheduler(app, bells=belfry, clock=lambda: belfry.at)
    belfry.run(120)

    assert belfry.times("watch")
    assert len(belfry.times("sweep")) > 100


@pytest.mark.parametrize("bell", schedule.BELLS, ids=lambda bell: bell.task)
def test_a_bell_that_nobody_heard_goes_away(bell):
    """A worker that comes back after a day is not met by a day of bells."""
    assert bell.every < bell.expires <= max(10, 2 * bell.every)


def test_celerys_beat_rings_it(app, tmp_path, monkeypatch):
    """Its service and our table: a bell lies in the queue of its lane, and goes away in time."""
    monkeypatch.setattr(schedule, "BELLS", (Bell("sweep", "urgent", 0.01),))
    with closing(Bells(app)) as bells:
        service = beat.Service(app, scheduler_cls=partial(Scheduler, bells=bells))
        ring = bells.ring

        def ring_and_stop(*words, **more):
            service.stop()
            return ring(*words, **more)

        monkeypatch.setattr(bells, "ring", ring_and_stop)
        service.start()

    [path] = (tmp_path / "queue" / "bells").iterdir()
    headers = json.loads(path.read_text())["headers"]
    assert path.name.endswith(".urgent.msg")
    assert headers["task"] == "waggle.sweep"
    assert headers["expires"]
