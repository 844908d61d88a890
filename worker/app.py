"""The Celery application: bells only.

No results, late acknowledgement, one message at a time, no ETA and no Celery retry: time is the
ledger's. The thread pool is the default because the work is waiting; it knows no time limits, so
every outside call has a deadline of its own.
"""

from celery import Celery

from worker import broker
from worker.settings import Settings

QUEUES = broker.LANES


def make(settings: Settings) -> Celery:
    """A Celery application for these settings; one per process."""
    app = Celery("waggle", include=["tasks.bells"], set_as_current=True)
    app.conf.update(
        **broker.configuration(settings.broker_url, settings.queue_folder),
        broker_connection_max_retries=None,  # a worker waits for its broker as long as it takes
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=broker.SOCKET_TIMEOUT_SECONDS,
        enable_utc=True,
        result_backend=None,
        task_acks_late=True,
        task_create_missing_queues=False,
        task_default_exchange="waggle",
        task_default_queue=broker.name_at(settings.broker_url, "default"),
        task_default_routing_key="default",
        task_ignore_result=True,
        task_queues=broker.queues(settings.broker_url),
        timezone="UTC",
        # Leases are in the ledger: work goes on without the broker, and a thread can't be ended.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_consumer="worker.listener:BellConsumer",
        # Who controls a worker is whoever may send it a signal. Nobody listens for anything else,
        # so there are no queues but those of the bells.
        worker_enable_remote_control=False,
        # No bell has an ETA. One of somebody else's would be held in memory: not many of them.
        worker_eta_task_limit=1,
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_state_db=None,
    )
    return app
