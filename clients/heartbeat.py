"""The address that is to hear from us as long as work moves: a dead Waggle can't tell anybody.

Services of this kind count a GET as a sign of life: https://healthchecks.io/docs/http_api/. The
address is a secret: whoever has it can pretend that we live.
"""

import time

import httpx

from clients.call import USER_AGENT
from clients.deadline import Deadline
from clients.errors import Unavailable

SECONDS = 5.0


def fetch(http: httpx.Client, url: str, *, seconds: float = SECONDS) -> None:
    """GET it once, within a total deadline. Raises `Unavailable`, whose text has no address."""
    whole = httpx.URL(url)
    request = httpx.Request(
        "GET",
        whole.copy_with(raw_path=b"/"),  # httpx logs the URL; the path goes on the wire only
        headers={"User-Agent": USER_AGENT},
        extensions={
            "target": whole.raw_path,
            "timeout": Deadline(seconds, monotonic=time.monotonic),
        },
    )
    try:
        answer = http.send(request, stream=True)
        answer.close()  # what it says is of no interest
    except (httpx.HTTPError, TimeoutError) as error:
        message = f"the heartbeat address does not answer ({type(error).__name__})"
        raise Unavailable(message) from None
    if not answer.is_success:
        message = f"the heartbeat address answers {answer.status_code}"
        raise Unavailable(message, status=answer.status_code)
