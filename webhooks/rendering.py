"""Renders pages: nothing from elsewhere, no script but files of ours, and headers that say so."""

from datetime import UTC
from pathlib import Path

import jinja2
from starlette.responses import HTMLResponse

from webhooks import static_files, words

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
TEMPLATES = Path(__file__).parent / "templates"
_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
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
    "local": words.local,
    "exact": words.exact,
    "lasted": words.lasted,
    "number": words.number,
    "day": words.day,
    "short_day": words.short_day,
    "percent": words.percent,
    "steps": words.steps,
    "stream": words.stream,
    "pace": words.pace,
    "source_state": words.source_state,
}
_environment.globals |= {
    "static": static_files.address,
    # What a page without a visit says of these: nobody is signed in, nothing was done.
    "viewer": None,
    "told": None,
    "here": "",
    "zone": UTC,
}


def teach(environment: jinja2.Environment) -> None:
    """Have another environment know what our templates use."""
    environment.filters |= _environment.filters
    environment.globals |= _environment.globals
    environment.undefined = jinja2.StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True


def page(name: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """The answer that shows this template with these values."""
    return HTMLResponse(
        _environment.get_template(name).render(**values), status_code=status, headers=HEADERS
    )


def part(name: str, macro: str, **values: object) -> str:
    """What one macro of a template makes of these values: a fragment of a page."""
    module = _environment.get_template(name).make_module(values)
    return str(getattr(module, macro)())
