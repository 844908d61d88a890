"""What vendors do when they are not well."""

import dataclasses
import json
from collections.abc import Iterator

from worker.kit.bending import Change, Reply
from worker.kit.vendor import Trouble

MEGABYTE = 1_000_000
STATUSES = (400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503, 504)
LOGIN_REFUSED, TOO_MANY, SERVER_ERRORS = 401, 429, 500


def statuses() -> Iterator[Trouble]:
    """Every status that says no, with a JSON body."""
    for status in STATUSES:
        yield Trouble(
            name=f"status {status}",
            fault={"status": status, "body": {"message": f"it is {status} today"}},
            transient=status == TOO_MANY or status >= SERVER_ERRORS,
            refused_login=status == LOGIN_REFUSED,
            limit=status == TOO_MANY,
        )


def broken_lines() -> Iterator[Trouble]:
    """Connections that end before the answer does."""
    yield Trouble(name="a reset connection", fault={"action": "reset"}, transient=True)
    yield Trouble(name="a lost reply", fault={"action": "lose_reply"}, transient=True)
    yield Trouble(name="a cut body", fault={"action": "cut"}, transient=True)


def garbled() -> Iterator[Trouble]:
    """Answers with status 200 that are not what was asked for."""
    yield Trouble(name="a body that is no JSON", fault={"action": "invalid_json"})
    yield Trouble(name="a page for people", fault={"status": 200})
    yield Trouble(name="an empty body", change=saying(b""))
    yield Trouble(name="a body of 10 MB", fault={"action": "huge", "size": 10 * MEGABYTE})
    for text in ("null", "[]", "{}", '"text"', "17"):
        yield Trouble(name=f"the JSON {text}", change=saying(text.encode()), said=text)


def slow() -> Trouble:
    """An answer that takes its time."""
    return Trouble(name="a slow body", change=lambda reply: dataclasses.replace(reply, slow=True))


def never_ending() -> Iterator[Trouble]:
    """A vendor that says nothing for an hour, and one whose answer does not end."""
    yield Trouble(name="silence", fault={"action": "delay", "delay": 3600.0}, transient=True)
    yield Trouble(
        name="a body without end",
        change=lambda reply: dataclasses.replace(reply, endless=True),
        transient=True,
    )


def saying(body: bytes) -> Change:
    """Another body under the same head."""
    return lambda reply: dataclasses.replace(reply, body=body)


def taking_away(path: str, query: str) -> Trouble:
    """A vendor that does not have this one thing, and all others."""

    def change(reply: Reply) -> Reply:
        if (reply.path, reply.query) != (path, query):
            return reply
        return dataclasses.replace(reply, status=404, body=b'{"message": "not found"}')

    place = path + (f"?{query}" if query else "")
    return Trouble(name=f"without {place}", change=change)


def redirecting(to: str) -> Trouble:
    """A vendor that sends everybody to another host."""

    def change(reply: Reply) -> Reply:
        place = f"{to}{reply.path}" + (f"?{reply.query}" if reply.query else "")
        return dataclasses.replace(
            reply, status=307, headers=((b"location", place.encode("latin-1")),), body=b""
        )

    return Trouble(name="a redirect to another host", change=change)


def repeating(status: int) -> Trouble:
    """A vendor whose answer repeats all that it was sent, as debug pages do."""

    def change(reply: Reply) -> Reply:
        sent = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reply.request_headers
        }
        echo = [*sent.values(), reply.query, reply.request_body.decode("latin-1")]
        body = {"message": f"not with {' '.join(echo)}", "errors": {"sent": sent, "all": echo}}
        # A header has one line.
        spoken = " ".join(" ".join(echo).split())[:2000].encode("latin-1", "replace")
        return dataclasses.replace(
            reply,
            status=status,
            headers=((b"content-type", b"application/json"), (b"x-request-id", spoken)),
            body=json.dumps(body).encode(),
        )

    return Trouble(name=f"status {status} that repeats the request", change=change)
