"""The floor that pages are measured beside: an empty page of Starlette and Jinja2, and no ledger.

It is served as Waggle serves its pages: the same server, loop and parser, and a thread for each.
"""

import argparse

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

TEMPLATE = jinja2.Environment(autoescape=True).from_string(
    '<!doctype html><html lang="en"><title>{{ title }}</title><main><h1>{{ title }}</h1></main>'
)


def empty(_request: Request) -> HTMLResponse:
    """The page."""
    return HTMLResponse(TEMPLATE.render(title="Nothing"))


def main() -> None:
    """Serve it until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvicorn.run(
        Starlette(routes=[Route("/", empty)]),
        port=given.port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
