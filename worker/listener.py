"""The part of a worker that listens to the broker: Celery's, without what bells don't need."""

from celery.worker.consumer import Consumer

DELAYS = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class BellConsumer(Consumer):  # type: ignore[misc] # celery ships no types
    """Celery's consumer, which would make 28 queues that delay messages wherever it meets quorum
    queues. No bell is ever delayed: time is the ledger's.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc] # celery ships no types
        """The steps of its start."""

        default_steps = tuple(step for step in Consumer.Blueprint.default_steps if step != DELAYS)
