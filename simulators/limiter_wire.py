"""What a limiter does to a request on its way in, and to an answer on its way out."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from simulators import limiter_answers as answers


async def with_form(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The scope with the fields of a form body as `form`, and the body to be read again.

    Any other body stays unread, the scope as it was.
    """
    kind = dict(scope["headers"]).get(b"content-type", b"")
    if not kind.startswith(b"application/x-www-form-urlencoded"):
        return scope, receive
    body = await _body(receive)
    kept: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return kept.pop() if kept else await receive()

    return {**scope, "form": dict(parse_qsl(body.decode("latin-1")))}, again


def adding(fields: answers.Fields, send: Send, leaves: Callable[[], None]) -> Send:
    """A `send` that puts these header fields on the answer; `leaves` is told when they leave."""

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            leaves()
            message = {**message, "headers": [*message.get("headers", []), *fields]}
        await send(message)

    return send_more


async def refuse(
    status: int,
    fields: answers.Fields,
    given: Any,  # noqa: ANN401 - any JSON
    receive: Receive,
    send: Send,
) -> None:
    """Answer with this status; `given` is the body, None for that of the status."""
    # An unread body would turn the end of the connection into a reset by itself.
    await _body(receive)
    kind, body = answers.body(status, given)
    length = str(len(body)).encode()
    headers = [(b"content-type", kind), (b"content-length", length), *fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)
