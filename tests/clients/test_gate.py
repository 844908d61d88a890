"""A client asks its gate before each request, and tells it once what became of each."""

import traceback
from collections.abc import Callable
from email.utils import formatdate

import httpx
import pytest

from clients import beeminder, bemserver_auth, errors
from clients.beeminder import Token
from clients.bemserver import BemserverClient
from clients.gate import Open
from clients.http import WAIT_SHARE
from clients.limits import Limits

CANARY = "canary-of-the-gate"


class NotYetError(Exception):
    """What this gate says instead of letting somebody through."""


class Watched:
    """A gate that writes down who came and what became of them; `closed` lets nobody through."""

    def __init__(self, *, closed: bool = False, waits: Callable[[], object] = lambda: None) -> None:
        self.closed, self.waits = closed, waits
        self.secrets: tuple[str, ...] = ()
        self.entered: list[tuple[str, str, float]] = []
        self.ends: list[tuple[str, Limits | None]] = []

    def enter(self, method: str, path: str, *, within: float) -> "Watched | NotYetError":
        """Come in, after a wait."""
        self.entered.append((method, path, within))
        self.waits()
        return NotYetError("not before noon") if self.closed else self

    def answered(self, limits: Limits) -> None:
        """A good end."""
        self.ends.append(("answered", limits))

    def refused(self, error: errors.Transient, limits: Limits) -> Exception:
        """A pause is asked for."""
        self.ends.append(("refused", limits))
        return NotYetError(f"refused: {error}")

    def lost(self) -> None:
        """No answer."""
        self.ends.append(("lost", None))

    @property
    def outcomes(self) -> list[str]:
        """How they ended, in order."""
        return [end for end, _ in self.ends]


@pytest.fixture
def gate() -> Watched:
    return Watched()


@pytest.fixture
def gated(make_api, http, clock, gate):
    """A small client before that gate, on a clock that moves by hand."""
    return make_api(
        http=http, base_url="http://vendor.test/", clock=clock, monotonic=clock, gate=gate
    )


IN_A_MINUTE = {"Retry-After": "60"}
ENDS = [
    (httpx.Response(200, json=[]), "answered"),
    (httpx.Response(204), "answered"),
    (httpx.Response(404), "answered"),
    (httpx.Response(401), "answered"),
    (httpx.Response(422, json={}), "answered"),
    (httpx.Response(403, json={"message": "no"}), "answered"),
    (httpx.Response(403, html="<html>", headers={"X-RateLimit-Remaining": "0"}), "answered"),
    (httpx.Response(500), "answered"),
    (httpx.Response(503), "answered"),
    (httpx.Response(200, text="not json"), "answered"),
    (httpx.Response(302, headers={"Location": "http://elsewhere.test/"}), "answered"),
    (httpx.Response(304), "answered"),
    (httpx.Response(200, json=[], headers=IN_A_MINUTE), "answered"),
    (httpx.Response(404, headers=IN_A_MINUTE), "answered"),
    (httpx.Response(413, headers=IN_A_MINUTE), "answered"),
    (httpx.Response(403, json={"message": "later"}, headers=IN_A_MINUTE), "answered"),
    (httpx.Response(302, headers=IN_A_MINUTE), "answered"),
    (httpx.Response(302, headers=IN_A_MINUTE | {"Location": "http://else.test/"}), "answered"),
    (httpx.Response(429), "refused"),
    (httpx.Response(429, headers=IN_A_MINUTE), "refused"),
    (httpx.Response(503, headers=IN_A_MINUTE), "refused"),
    (httpx.Response(500, headers=IN_A_MINUTE), "refused"),
    (httpx.Response(408, headers=IN_A_MINUTE), "refused"),
    (httpx.Response(502, html="<html>", headers=IN_A_MINUTE), "refused"),
    (httpx.Response(403, json={"message": "x"}, headers={"X-RateLimit-Remaining": "0"}), "refused"),
    (httpx.ConnectTimeout("x"), "lost"),
    (httpx.ReadTimeout("x"), "lost"),
    (httpx.PoolTimeout("x"), "lost"),
    (httpx.InvalidURL("x"), "lost"),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("answer", "end"), ENDS)
def test_each_request_ends_once(gated, gate, vendor, method, answer, end):
    """Whatever is answered: one way in, one end, and only what asks for a pause is a refusal."""
    vendor.answers(answer)
    told = None
    try:
        gated.ask(method)
    except (errors.ClientError, NotYetError) as error:
        told = error
    assert isinstance(told, NotYetError) is (end == "refused")
    assert gate.outcomes == [end]
    assert [entered[:2] for entered in gate.entered] == [(method, "things/")]


def test_what_the_answer_says_of_limits_is_told(gated, gate, vendor):
    """Headers of good answers and of refusals, the date form on the server's own clock."""
    vendor.answers(
        httpx.Response(200, json=[], headers={"X-RateLimit-Remaining": "7"}),
        httpx.Response(
            429, headers={"Retry-After": formatdate(5060, usegmt=True), "Date": formatdate(5000)}
        ),
    )
    gated.ask()
    with pytest.raises(NotYetError):
        gated.ask()
    (_, first), (_, second) = gate.ends
    assert first.remaining == 7
    assert 60 <= second.retry_after <= 61


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1), ("PUT", 1), ("DELETE", 1)])
def test_a_second_try_takes_a_second_turn(gated, gate, vendor, method, times):
    """A dead connection: the first turn is lost, and the retry is asked for again."""
    vendor.answers(httpx.ConnectError("refused"))
    with pytest.raises(errors.Unavailable):
        gated.ask(method)
    assert gate.outcomes == ["lost"] * times
    assert len(gate.entered) == len(vendor.requests) == times


def test_a_redirect_takes_a_turn_of_its_own(gated, gate, vendor):
    """Each request counts, and the gate is told where it goes."""
    vendor.answers(
        httpx.Response(301, headers={"Location": "/things/new"}), httpx.Response(200, json=[])
    )
    gated.ask()
    assert [path for _, path, _ in gate.entered] == ["things/", "things/new"]
    assert gate.outcomes == ["answered", "answered"]


def test_nobody_leaves_through_a_closed_gate(gated, gate, vendor):
    """What the gate says is raised as it is, and nothing is sent."""
    gate.closed = True
    vendor.answers(httpx.Response(200, json=[]))
    with pytest.raises(NotYetError, match="noon"):
        gated.ask()
    assert vendor.requests == []
    assert gate.ends == []


def test_a_gate_that_closes_in_between_stops_the_second_request(gated, gate, vendor):
    """After a lost connection somebody else may have been refused."""

    def lose(_request: httpx.Request) -> httpx.Response:
        gate.closed = True
        raise httpx.ConnectError("gone")

    vendor.answers(lose)
    with pytest.raises(NotYetError, match="noon"):
        gated.ask()
    assert len(vendor.requests) == 1


def test_the_wait_leaves_time_for_an_answer(gated, gate, vendor, clock):
    """A share of the deadline may be waited away; the rest of it is the vendor's."""

    def wait() -> None:
        clock.now += gate.entered[-1][2]

    gate.waits = wait
    left = []

    def answer(request: httpx.Request) -> httpx.Response:
        left.append(request.extensions["timeout"].left())
        return httpx.Response(200, json=[])

    vendor.answers(answer)
    gated.ask(deadline=8.0)
    assert gate.entered[0][2] == 8.0 * WAIT_SHARE
    assert left == [8.0 * (1 - WAIT_SHARE)]


def test_a_deadline_that_is_over_is_not_waited_for(gated, gate, vendor, clock):
    """The second try of a slow call asks for a turn at once or none."""

    def lose(_request: httpx.Request) -> httpx.Response:
        clock.now += 30
        raise httpx.ConnectError("gone")

    vendor.answers(lose)
    with pytest.raises(errors.Unavailable):
        gated.ask(deadline=20.0)
    assert [within for *_, within in gate.entered] == [10.0, 0.0]


def test_the_open_gate_changes_nothing():
    """Where there is only one request to make: always through, errors as they are."""
    passage = Open().enter("GET", "x", within=0.0)
    error = errors.RateLimited("busy")
    passage.answered(Limits())
    passage.lost()
    assert passage.refused(error, Limits()) is error


class Kept:
    """A token source with one token."""

    def access(self) -> str:
        """That one."""
        return CANARY

    def renew(self, rejected: str) -> str:
        """Still that one."""
        return CANARY


CALLS = {
    "beeminder, personal": lambda http, gate: beeminder.BeeminderClient(
        http=http, token=Token("personal", CANARY), gate=gate
    ).me(),
    "beeminder, oauth": lambda http, gate: beeminder.BeeminderClient(
        http=http, token=Token("oauth", CANARY), gate=gate
    ).me(),
    "bemserver": lambda http, gate: BemserverClient(
        http=http, base_url="http://bem.test/", tokens=Kept(), gate=gate
    ).campaigns(),
    "login": lambda http, gate: bemserver_auth.login(
        http=http, base_url="http://bem.test/", email="a@b", password=CANARY, gate=gate
    ),
    "refresh": lambda http, gate: bemserver_auth.refresh(
        http=http, base_url="http://bem.test/", refresh_token=CANARY, gate=gate
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("closed", [True, False])
def test_what_a_gate_says_shows_no_secret(http, vendor, call, closed):
    """Held back or refused: neither a text nor the frames that sent it show the credentials."""
    vendor.answers(
        lambda request: httpx.Response(
            429, json={"errors": f"{request.url} {request.headers} {request.content!r}"}
        )
    )
    gate = Watched(closed=closed)
    with pytest.raises(NotYetError) as caught:
        CALLS[call](http, gate)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    seen = [frame for frame in frames if frame.filename.endswith("clients/http.py")]
    assert seen
    assert CANARY not in told + repr([frame.locals for frame in seen])
    assert len(gate.entered) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_error_tells_a_secret_of_the_account(make_api, http, vendor, gate, method):
    """A password is sent with the login only, but a server that knows it may repeat it anywhere."""
    gate.secrets = (CANARY, "canary-of-the-account")
    said = {"message": f"not with {CANARY}", "errors": {"canary-of-the-account": [CANARY]}}
    headers = {"X-Request-Id": CANARY}
    api = make_api(http=http, base_url="http://vendor.test/", gate=gate)
    for answer in (
        httpx.Response(422, json=said, headers=headers),
        httpx.Response(500, json=said, headers=headers),
        httpx.Response(200, text=CANARY, headers=headers | {"Content-Type": CANARY}),
    ):
        vendor.answers(answer)
        with pytest.raises(errors.ClientError) as caught:
            api.ask(method).json()
        told = f"{caught.value} {caught.value.details} {caught.value.request_id}"
        assert "canary" not in told
