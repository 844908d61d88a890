"""A callback to ourselves, as Beeminder makes it: over the public address, and answered like any.

https://api.beeminder.com/#autofetch-callback-url. The path holds the callback secret, so it goes on
the wire only.
"""

import json
import time
import urllib.parse

import httpx

from clients.call import USER_AGENT
from clients.deadline import Deadline
from clients.errors import Unavailable

MOST_BYTES = 4096
SAID = ("fresh", "late", "failed")


def call_back(
    http: httpx.Client,
    public_url: str,
    *,
    secret: str,
    username: str,
    slug: str,
    request_id: str,
    seconds: float,
) -> None:
    """POST it and wait for the 200, within a total deadline.

    Raises `Unavailable` for every other answer, and none; its text has no address.
    """
    form = {"username": username, "slug": slug}
    status, said = _post(http, public_url, secret, form, request_id=request_id, seconds=seconds)
    if status != httpx.codes.OK or said != "fresh":
        message = f"the public address answers {status} {said}".rstrip()
        raise Unavailable(message, status=status)


def knock(http: httpx.Client, public_url: str, *, secret: str, seconds: float) -> int:
    """The status of a callback that names no goal: 400 from our receiver, which stores nothing.

    Raises `Unavailable` where nobody answers.
    """
    return _post(http, public_url, secret, {}, request_id="doctor", seconds=seconds)[0]


def _post(
    http: httpx.Client,
    public_url: str,
    secret: str,
    form: dict[str, str],
    *,
    request_id: str,
    seconds: float,
) -> tuple[int, str]:
    base = httpx.URL(public_url)
    deadline = Deadline(seconds, monotonic=time.monotonic)
    path = base.raw_path.rstrip(b"/") + f"/beeminder/autofetch/{secret}".encode()
    request = httpx.Request(
        "POST",
        base.copy_with(raw_path=b"/"),  # httpx logs the URL
        headers={
            "User-Agent": USER_AGENT,
            "X-Request-Id": request_id,
            "Content-Type": "application/x-www-form-urlencoded",
        },
        content=urllib.parse.urlencode(form).encode(),
        extensions={"target": path, "timeout": deadline},
    )
    try:
        answer = http.send(request, stream=True)
        try:
            return answer.status_code, _said(answer, deadline)
        finally:
            answer.close()
    except (httpx.HTTPError, TimeoutError) as error:
        message = f"the public address does not answer ({type(error).__name__})"
        raise Unavailable(message) from None


def _said(answer: httpx.Response, deadline: Deadline) -> str:
    """What our own receiver says of the data; "" for anything else, whoever said it."""
    body = b""
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES or deadline.left() <= 0:
            return ""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    said = found.get("status") if isinstance(found, dict) else None
    return said if said in SAID else ""
