"""Renders pages: no script, nothing from elsewhere, and headers that hold browsers to it."""

from pathlib import Path

import jinja2
from starlette.responses import HTMLResponse

from webhooks import words

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "state": words.state,
    "kind": words.kind,
    "ago": words.ago,
    "instant": words.instant,
    "number": words.number,
    "day": words.day,
}


def page(name: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """The answer that shows this template with these values."""
    return HTMLResponse(
        _environment.get_template(name).render(**values), status_code=status, headers=HEADERS
    )
