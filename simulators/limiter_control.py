"""`/_sim/limits` and `/_sim/closings`: a limiter looked at and set from outside the process."""

import json
import re
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators import limiter_answers as answers
from simulators.windows import Window

if TYPE_CHECKING:
    from simulators.limiter import Limiter

PATHS = ("/_sim/limits", "/_sim/closings")
_WINDOW = {item.name for item in fields(Window)}
_LIMIT = {item.name for item in fields(answers.Limit)} - {"window"}


async def answer(limiter: "Limiter", request: Request) -> Response:
    """One request to the control; 422 says what is wrong with it."""
    try:
        asked = await _asked(request)
        match (request.method, request.url.path.rpartition("/")[2]):
            case ("GET", "limits"):
                pass
            case ("DELETE", "limits"):
                limiter.clear()
                return Response(status_code=204)
            case ("POST", "limits"):
                _set(limiter, asked)
            case ("POST", "closings"):
                limiter.close(asked.pop("key", None), asked.pop("seconds"), **asked)
            case _:
                return JSONResponse({"error": "no such control"}, status_code=404)
    except (KeyError, TypeError, ValueError, re.error) as exc:
        return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=422)
    limit = None if limiter.limit is None else asdict(limiter.limit)
    return JSONResponse({"limit": limit, **limiter.report().as_json()})


async def _asked(request: Request) -> dict[str, Any]:
    asked = json.loads(await request.body() or b"{}")
    if not isinstance(asked, dict):
        raise TypeError("the body must be a JSON object")
    return asked


def _set(limiter: "Limiter", asked: dict[str, Any]) -> None:
    if unknown := sorted(asked.keys() - _WINDOW - _LIMIT):
        raise TypeError(f"unknown {unknown}; known are {sorted(_WINDOW | _LIMIT)}")
    rounding = answers.SPELT.get(asked.get("headers", ""), "ceil")
    window = {"rounding": rounding} | {name: asked[name] for name in asked.keys() & _WINDOW}
    limiter.set(Window(**window), **{name: asked[name] for name in asked.keys() & _LIMIT})
