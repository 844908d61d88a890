"""What the Procfile starts: the receiver, workers, beat. Each runs until it is told to stop."""

import contextlib
import os
import threading
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from celery import Celery, beat, platforms, signals
from celery.apps.beat import Beat
from celery.exceptions import SecurityWarning

from tasks import bells as tasks_bells
from worker import app as celery_app
from worker import broker, interpreter, logs, runtime, tracing
from worker.bells import Bells
from worker.life import Life
from worker.listener import BellWorker
from worker.schedule import Scheduler
from worker.settings import Settings

WORK_QUEUES = ("urgent", "default", "bulk")
ALL_QUEUES = celery_app.QUEUES
PROGRESS_QUEUES = ("progress",)
LEAVES_WITHIN = 4.0  # seconds: a turn, and a bell that is given up


def web(settings: Settings, *, host: str | None = None, port: int | None = None) -> int:
    """The receiver."""
    from webhooks import serve  # noqa: PLC0415 -- a worker needs no web server

    return serve.run(settings, host or settings.host, settings.port if port is None else port)


def worker(
    settings: Settings,
    *,
    queues: Sequence[str] = WORK_QUEUES,
    slots: int = runtime.SLOTS,
    with_beat: bool = False,
) -> int:
    """A worker; `with_beat` rings the schedule from a thread of the same process."""
    process = "progress" if tuple(queues) == PROGRESS_QUEUES else "worker"
    _prepare(settings, process)
    app = celery_app.make(settings)
    broker.check(app, queues)
    bells = Bells(app)
    embedded = settings.broker_url.startswith("filesystem:")
    tracer = tracing.start(settings, process)
    with runtime.build(settings, ring=bells.ring, slots=slots, tracer=tracer) as rt:
        life = Life(
            rt,
            queues=",".join(queues),
            bells=settings.queue_folder / "bells" if embedded else None,
        )
        tasks_bells.bind(rt)
        service = _embedded_beat(app, bells) if with_beat else None

        def ready(**_: object) -> None:
            interpreter.be_on_time()
            life.start()
            if service is not None:
                service.start()

        def stopping(**_: object) -> None:
            life.stop()
            if service is not None:
                threading.Thread(target=service.stop, daemon=True).start()

        signals.worker_ready.connect(ready, weak=False)
        signals.worker_shutting_down.connect(stopping, weak=False)
        BellWorker(
            app=app,
            # RabbitMQ lets no two workers of one name in, and by itself each is named by its host.
            hostname=f"{rt.owner.replace(':', '-')}@waggle",
            pool="threads",
            concurrency=slots,
            queues=list(queues),
            loglevel=settings.log_level.upper(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,  # of events, for monitors; the link to the broker has its own
            quiet=True,
        ).start()
        rt.stopping.set()
        if rt.desk is not None:
            rt.desk.stop()
        life.leave()
        tasks_bells.bind(None)
    bells.close()
    return 0


def progress(settings: Settings) -> int:
    """A worker that follows live progress and does nothing else."""
    return worker(settings, queues=PROGRESS_QUEUES, slots=2)


def only_beat(settings: Settings) -> int:
    """The schedule alone; several may run."""
    _prepare(settings, "beat")
    app = celery_app.make(settings)
    with contextlib.closing(Bells(app)) as bells:
        BellBeat(
            app=app,
            quiet=True,
            loglevel=settings.log_level.upper(),
            socket_timeout=5,
            scheduler_cls=partial(Scheduler, bells=bells),
        ).run()
    return 0


class BellBeat(Beat):  # type: ignore[misc] # celery ships no types
    """Celery's beat, which a signal ends whatever it was doing.

    Celery closes the connection to the broker within its handler and raises SystemExit there. What
    is interrupted may fail in its own way then, or not see the exception at all, and beat stays.
    """

    def install_sync_handler(self, service: beat.Service) -> None:
        """Have a signal end the loop at its next turn; where that does not come, the process.

        A beat that waits for its broker has no turns. It holds nothing that could be lost.
        """
        told = threading.Event()

        def leave() -> None:
            told.wait()
            threading.Event().wait(LEAVES_WITHIN)
            os._exit(0)

        def stop(*_: object) -> None:
            service.stop()
            told.set()

        threading.Thread(target=leave, name="beat-end", daemon=True).start()
        platforms.signals.update(SIGTERM=stop, SIGINT=stop)


def _prepare(settings: Settings, process: str) -> None:
    logs.configure(format=settings.log_format, level=settings.log_level, process=process)
    logs.hide(*settings.secrets())

    # Celery warns root because pickled messages could run code; ours are JSON and carry nothing.
    warnings.filterwarnings("ignore", category=SecurityWarning)

    def keep_ours(**_: object) -> None:
        """Celery configures logging unless somebody listens here."""

    signals.setup_logging.connect(keep_ours, weak=False)


def _embedded_beat(app: Celery, bells: Bells) -> Any:  # noqa: ANN401 -- celery ships no types
    scheduler = partial(Scheduler, bells=bells)
    service = beat.EmbeddedService(app, thread=True, scheduler_cls=scheduler)
    service.daemon = True
    return service
