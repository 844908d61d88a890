"""The part of a worker that listens to the broker: Celery's, without what bells don't need."""

from celery import signals
from celery.apps.worker import Worker
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer

DELAYS = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class BellConsumer(Consumer):  # type: ignore[misc] # celery ships no types
    """Celery's consumer, which would make 28 queues that delay messages wherever it meets quorum
    queues. No bell is ever delayed: time is the ledger's.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc] # celery ships no types
        """The steps of its start."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if step != DELAYS)


class BellWorker(Worker):  # type: ignore[misc] # celery ships no types
    """Celery's worker, for which a cold shutdown (SIGQUIT) is what a warm one is (SIGTERM).

    Celery would end running tasks, which no pool of threads can, and say that it stops only then.
    `worker.life` gives them their time and hands back what is not over.
    """

    def wait_for_soft_shutdown(self) -> None:
        """What Celery does first in a cold shutdown."""
        signals.worker_shutting_down.send(
            sender=self.hostname, sig="SIGQUIT", how="Cold", exitcode=0
        )
        raise WorkerShutdown(0)
