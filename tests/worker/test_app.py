"""Promises of the Celery application: bells only, acknowledged late, and no clock of its own."""

import ast
from pathlib import Path

import pytest

from db.states import Lane
from worker import app as celery_app
from worker import broker, schedule, settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("clients", "db", "simulators", "tasks", "webhooks", "worker")
TIMES = {"countdown", "eta", "retry_backoff", "autoretry_for"}
BROKERS = ("filesystem://", "redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//")


@pytest.fixture(params=BROKERS)
def app(request, tmp_path):
    """The application on each kind of broker; nothing connects."""
    found = settings.load({"WAGGLE_HOME": str(tmp_path), "BROKER_URL": request.param}, None)
    made = celery_app.make(found)
    made.loader.import_default_modules()
    return made


def ours(app):
    """Our tasks by name."""
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_is_named_by_what_it_does(app):
    """Names survive a move of the module, and they are the ones that are rung."""
    assert set(ours(app)) == {
        "waggle.sync",
        "waggle.push",
        "waggle.deauthorize",
        "waggle.backfill",
        "waggle.canary",
        "waggle.datasource",
        "waggle.errands",
        "waggle.reconcile",
        "waggle.suspects",
        "waggle.refresh_tokens",
        "waggle.sweep",
        "waggle.discover",
        "waggle.follow",
        "waggle.housekeeping",
        "waggle.tell",
        "waggle.watch",
        "waggle.tidy",
    }


def test_a_worker_waits_for_its_broker_as_long_as_it_takes(app):
    """Celery would give up after a hundred tries, and the worker with it."""
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry_on_startup


def test_tasks_are_acknowledged_late_and_have_no_result(app):
    """A killed worker's bell comes back where the broker can do that; nothing piles up."""
    for name, task in ours(app).items():
        assert task.acks_late, name
        assert task.ignore_result, name
    assert type(app.backend).__name__ == "DisabledBackend"


def test_the_queues_are_the_lanes_and_progress(app):
    """Every lane has its queue; an unknown queue is not made up."""
    assert {queue.alias or queue.name for queue in app.conf.task_queues} == set(celery_app.QUEUES)
    assert {lane.name.lower() for lane in Lane} <= set(celery_app.QUEUES)
    assert app.conf.task_create_missing_queues is False
    for queue in app.conf.task_queues:
        assert (queue.routing_key, queue.exchange.name) == (queue.name, "waggle")


def test_a_worker_takes_no_more_than_it_can_do(app):
    """One message a slot: urgent bells do not wait in a process that is busy."""
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.worker_pool == "threads"


def test_a_worker_keeps_no_file(app):
    """What is to be done is in the ledger, and nobody has to remember when a bell was rung."""
    assert app.conf.worker_state_db is None
    assert app.conf.beat_schedule == {}


def test_every_bell_of_the_schedule_has_a_queue(app):
    """Whatever the queues are named at a broker, beat rings in one of them."""
    names = {queue.name for queue in app.conf.task_queues}
    url = app.conf.broker_url

    assert {broker.name_at(url, bell.queue) for bell in schedule.BELLS} <= names
    assert app.conf.task_default_queue in names


def test_nothing_but_bells_is_at_the_broker(app):
    """No remote control, no events, no delayed messages, no results: no queue or key for any."""
    assert app.conf.worker_enable_remote_control is False
    assert app.conf.worker_send_task_events is False
    assert app.conf.worker_consumer == "worker.listener:BellConsumer"
    assert app.conf.result_backend is None


def test_a_worker_holds_no_bell_for_later(app):
    """Nothing of ours has an ETA; of what somebody else sends one at most is kept in memory."""
    assert app.conf.worker_eta_task_limit == 1


def test_the_broker_may_come_later_and_go(app):
    """A start waits for it, and work that runs goes on without it: its lease is in the ledger."""
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.worker_cancel_long_running_tasks_on_connection_loss is False


def calls():
    """Every call in the source: (file, name called, names of its keywords)."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                    yield path.relative_to(ROOT), name, {k.arg for k in node.keywords if k.arg}


def test_no_source_gives_celery_a_time():
    """No ETA, countdown or retry of Celery's anywhere: a broker would redeliver or lose it."""
    given = [
        (str(path), name, sorted(keywords & TIMES))
        for path, name, keywords in calls()
        if keywords & TIMES or name == "apply_async"
    ]

    assert given == []


def test_bells_are_rung_in_one_place():
    """Only the doorbell sends tasks: everything else is handed a `ring`."""
    sending = {"send_task", "send_task_message"}
    senders = {str(path) for path, name, _ in calls() if name in sending}

    assert senders == {"worker/bells.py"}
