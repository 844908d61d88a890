"""The id of a request: everybody who acts for it finds it, and nobody else."""

import asyncio

import structlog

from webhooks import request_ids


def test_each_task_has_its_own():
    """Requests that are answered at the same time do not see each other's id, in no log line."""

    async def answer(request_id: str) -> tuple[str | None, object]:
        request_ids.begin(request_id)
        await asyncio.sleep(0)
        return request_ids.current(), structlog.contextvars.get_contextvars().get("request_id")

    async def both():
        return await asyncio.gather(*map(asyncio.create_task, map(answer, ("one", "two"))))

    assert asyncio.run(both()) == [("one", "one"), ("two", "two")]


def test_there_is_none_outside_of_a_request():
    """What is done for nobody carries nobody's id."""
    assert request_ids.current() is None


def test_what_is_stored_names_its_request(serving):
    """The row of a callback has the id that its answer has, whoever shared its commit."""
    answers = [serving.later(serving.autofetch, slug=f"goal{at}") for at in range(5)]
    told = {
        f"goal{at}": answer.result().headers["X-Request-Id"] for at, answer in enumerate(answers)
    }

    assert {event.payload["slug"]: event.request_id for event in serving.events()} == told
