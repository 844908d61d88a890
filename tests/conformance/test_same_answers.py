"""The simulated BEMServer answers like the real one: same requests, same seed, same key."""

import csv
import io
import json
import math
from urllib.parse import urlsplit

import pytest

from simulators import bemserver, server
from tests.conformance.asked import ASKED

COMPARED = ("Content-Type", "ETag", "X-Pagination", "WWW-Authenticate")
ZONES = "Must be one of: Africa/Abidjan, "
VALIDATED = ("list", "list, page 2", "item", "states", "campaigns", "about", "users")


@pytest.fixture(scope="module")
def twin(bem):
    """The simulator with the seed and the key of the real server."""
    simulated = bemserver.Bemserver()
    simulated.state.load(bem.seed)
    simulated.keys.secret = bem.secret
    with server.LocalServer(simulated.app) as running:
        yield running


def send(bem, http, base, ask, **more):
    headers = {"Accept": "*/*"} | ask.headers | more
    if ask.who is not None:
        token = bem.token(ask.who.lstrip("="), kind=ask.kind, expires_in=ask.expires_in)
        headers["Authorization"] = ask.who[1:] if ask.who[0] == "=" else f"Bearer {token}"
    return http.request(ask.method, base + ask.path, headers=headers, content=ask.body)


def seen(answer, base):
    """Return what a client goes by; tokens are reduced to their being there."""
    shown = {name: answer.headers.get(name) for name in COMPARED}
    if location := answer.headers.get("Location"):
        shown["Location"] = location.removeprefix(base), urlsplit(location).scheme
        return answer.status_code, shown, None
    kind = (answer.headers.get("Content-Type") or "").partition(";")[0]
    if kind == "text/csv" and answer.text.startswith("Datetime"):
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        return answer.status_code, shown, [[number(cell) for cell in row] for row in rows]
    body = json.loads(answer.content or "null", object_pairs_hook=ordered)
    return answer.status_code, shown, body


def ordered(pairs):
    """Return an object that keeps the order of its keys in comparisons, tokens masked."""
    return [(key, "a token" if key.endswith("_token") else value) for key, value in pairs]


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


def alike(one, other):
    """Say whether two bodies are equal, sums of floats but for the last bits."""
    if isinstance(one, str) and one.startswith(ZONES):
        # Which of some five hundred names follow depends on the time zone data of the day.
        return isinstance(other, str) and other.startswith(ZONES)
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12) and type(one) is type(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_the_simulator_answers_like_the_real_one(bem, twin, http, ask):
    """Status, content type, headers that clients read and the parsed body are the same."""
    real = seen(send(bem, http, bem.url, ask), bem.url)
    simulated = seen(send(bem, http, twin.url, ask), twin.url)
    assert simulated[:2] == real[:2]
    assert alike(simulated[2], real[2]), f"real {real[2]!r:.2000}, simulated {simulated[2]!r:.2000}"


@pytest.mark.parametrize("name", VALIDATED)
def test_validators_are_the_same(bem, twin, http, name):
    """Each form of If-None-Match is answered 304 or 200 by both."""
    ask = ASKED[name]
    tag = send(bem, http, bem.url, ask).headers["ETag"]
    for given in (tag, tag.strip('"'), f"W/{tag}", "*", f'"0", {tag}', '"0"', ""):
        real, simulated = (
            send(bem, http, base, ask, **{"If-None-Match": given}) for base in (bem.url, twin.url)
        )
        assert seen(simulated, twin.url)[:2] == seen(real, bem.url)[:2], given
        assert len(simulated.content) == len(real.content)
