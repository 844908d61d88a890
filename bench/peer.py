"""The usual way with Celery: one task for each job, tried again by Celery itself.

What its documentation offers for this, and what most projects do with it:

- `autoretry_for` the errors of the http client, with `retry_backoff` and `retry_jitter` as they
  come (up to 1, 2, 4 … 600 seconds). `Retry-After` is not read: autoretry knows nothing of it.
- `max_retries` is lifted; with the three that it has by itself jobs would be lost.
- where the limit is known, a `rate_limit`. It holds for one worker, so each gets its part.
- one http client for each process, and the default pool (`prefork`).

A job is the same as Waggle's: one GET at the vendor, one datapoint at Beeminder.
"""

import json
import os
from pathlib import Path
from typing import Any

import httpx
from celery import Celery
from celery.signals import worker_ready

SETTINGS: dict[str, Any] = json.loads(os.environ["PEER_SETTINGS"])

app = Celery("peer")
app.conf.update(
    **SETTINGS["celery"],
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_enable_remote_control=False,
)
http = httpx.Client(timeout=20, limits=httpx.Limits(max_connections=200))


@worker_ready.connect  # type: ignore[untyped-decorator]
def ready(**_: object) -> None:
    """Say so."""
    Path(SETTINGS["ready"], str(os.getpid())).touch()


@app.task(  # type: ignore[untyped-decorator]
    name="peer.job",
    autoretry_for=(httpx.HTTPError,),
    retry_backoff=True,
    retry_jitter=True,
    max_retries=None,
    rate_limit=SETTINGS["rate_limit"],
)
def job(number: int, tenant: str, slug: str) -> None:
    """Read at the vendor, write to Beeminder."""
    answer = http.get(f"{SETTINGS['vendor']}/{tenant}/jobs/{number}")
    answer.raise_for_status()
    written = http.post(
        f"{SETTINGS['beeminder']}/api/v1/users/me/goals/{slug}/datapoints.json",
        data={
            "auth_token": SETTINGS["tokens"][number % len(SETTINGS["tokens"])],
            "value": answer.json()["value"],
            "requestid": f"peer-{number}",
        },
    )
    written.raise_for_status()
