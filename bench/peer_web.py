"""The usual handler: reads the callback, calls `.delay()`, answers; and a route that does nothing.

`.delay()` is called in the handler itself: handed to a thread it is no quicker (one core has both),
and it is what most projects do. uvicorn is set up as Waggle's.
"""

import argparse
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.peer import job

GOAL = "goal"


async def callback(request: Request) -> Response:
    """The job of the goal that is named; nothing is stored."""
    fields = dict(parse_qsl((await request.body()).decode()))
    slug = fields["slug"]
    job.delay(int(slug.removeprefix(GOAL)), "nobody", slug)
    return JSONResponse({"status": "queued"})


async def empty(request: Request) -> Response:
    """Read the body, answer."""
    await request.body()
    return JSONResponse({"status": "nothing"})


app = Starlette(
    routes=[
        Route("/callback", callback, methods=["POST"]),
        Route("/empty", empty, methods=["POST"]),
    ]
)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        backlog=4096,
    )


if __name__ == "__main__":
    main()
