"""Connections that break one promise each, in the ways in which people do."""
# ruff: noqa: D102 -- what a method does wrong is said by its class

import contextlib
import dataclasses
import json
from typing import ClassVar

import httpx
import structlog

from clients.errors import AuthFailed, ClientError, Rejected, Unavailable
from clients.gate import ClosedError
from tasks.providers import Found, Reading
from tests.worker.kit.sample import NAMES, Client, Reader


class OffByOne(Reader):
    """Another value than the vendor's."""

    def values(self, answer):
        return {day: value + 1 for day, value in super().values(answer).items()}


class NotFinite(Reader):
    """A value that is no number."""

    def values(self, answer):
        return dict.fromkeys(super().values(answer), float("nan"))


class NewestLast(Reader):
    """Believes that days come in order."""

    def readings(self, request):
        first, last = request.days[0].starts_at, request.days[-1].ends_at
        return {
            day: reading if first < last else Reading(None)
            for day, reading in super().readings(request).items()
        }


class AllOrNothing(Reader):
    """One that fails takes all with it."""

    def read(self, requests):
        return {request.key: self.readings(request) for request in requests}


class Skips(Reader):
    """A feed that is not there has no days."""

    def readings(self, request):
        try:
            return super().readings(request)
        except Rejected:
            raise
        except ClientError as error:
            if error.status == 404:  # so a list of all would look
                return {day.daystamp: Reading(None) for day in request.days}
            raise


class Adds(Reader):
    """Counts the same again each time."""

    def __init__(self, link):
        super().__init__(link)
        self.sums = {}

    def readings(self, request):
        for day, reading in super().readings(request).items():
            if reading.value is not None:
                place = (request.params.thing, day)
                self.sums[place] = self.sums.get(place, 0.0) + reading.value
        return {
            day.daystamp: Reading(self.sums.get((request.params.thing, day.daystamp)))
            for day in request.days
        }


class Shares(Reader):
    """Keeps the question where the next one finds it."""

    def readings(self, request):
        self.request = request
        answer = self.ask(f"things/{request.params.thing}")
        if self.request is not request:
            return {day.daystamp: Reading(99.0) for day in request.days}
        values = self.values(answer)
        return {day.daystamp: Reading(values.get(day.daystamp)) for day in request.days}


class SilentZero(Reader):
    """What is missing is a zero."""

    def values(self, answer):
        body = answer.json()
        if not isinstance(body, dict) or not isinstance(body.get("days"), list):
            raise answer.unexpected("no days")
        return {item["day"]: item.get("value") or 0.0 for item in body["days"] if "day" in item}


class ZeroInTrouble(Reader):
    """Better a zero than an error."""

    def readings(self, request):
        try:
            return super().readings(request)
        except ClientError:
            return {day.daystamp: Reading(0.0) for day in request.days}


class Traceback(Reader):
    """Takes what comes for what was promised."""

    def values(self, answer):
        return {item["day"]: item["value"] for item in json.loads(answer.body)["days"]}


class ForGood(Reader):
    """Gives up on a vendor that is away for a moment."""

    def readings(self, request):
        try:
            return super().readings(request)
        except Unavailable as error:
            raise Rejected(error.message) from None


class NoLogin(Reader):
    """A refused key is told as anything else."""

    def readings(self, request):
        try:
            return super().readings(request)
        except AuthFailed as error:
            raise Rejected(error.message) from None


class _Answer:
    """Enough of one for a reader that asks by itself."""

    def __init__(self, response):
        self.body = response.content


class ByItself(Reader):
    """Asks with the client that it was given, and with nothing else of it."""

    more: ClassVar = {}

    def ask(self, path):
        url = f"{self.link.settings.url}/{path}"
        try:
            response = self.link.http.get(url, headers={"X-Sample-Key": self.key}, **self.more)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable(type(error).__name__) from None
        return _Answer(response)

    def values(self, answer):
        return {item["day"]: item["value"] for item in json.loads(answer.body)["days"]}


class Hangs(ByItself):
    """Has no time limit."""

    more: ClassVar = {"timeout": None}


class LimitOfParts(ByItself):
    """Has one for each part of an answer, and none for all of it."""

    more: ClassVar = {"timeout": 5.0}


class Follows(ByItself):
    """Goes wherever it is sent, with the key."""

    more: ClassVar = {"follow_redirects": True}


class OwnGate(Reader):
    """Passes no gate."""

    def make_client(self):
        return Client(http=self.link.http, base_url=self.link.settings.url)


class OwnHttp(Reader):
    """Passes the gate, with another client than it was given."""

    def ask(self, path):
        with httpx.Client(trust_env=False) as http:
            link = self.link
            made = Client(http=http, base_url=link.settings.url, gate=link.gate, clock=link.now)
            return made.ask(path, self.key)


class GateUntold(Reader):
    """Asks the gate, and does not tell it how it went."""

    def ask(self, path):
        passage = self.link.gate.enter("GET", path, within=1.0)
        if isinstance(passage, Exception):
            raise passage
        return Client(http=self.link.http, base_url=self.link.settings.url).ask(path, self.key)


class Insists(Reader):
    """Tries a limit once more, beside the gate."""

    def ask(self, path):
        try:
            return super().ask(path)
        except ClosedError:
            Client(http=self.link.http, base_url=self.link.settings.url).ask(path, self.key)
            raise


class Wraps(Reader):
    """Makes an error of its own of a closed gate."""

    def ask(self, path):
        try:
            return super().ask(path)
        except ClosedError:
            raise Unavailable("not now") from None


class Posts(Reader):
    """Reads with POST."""

    def ask(self, path):
        with contextlib.suppress(ClientError):
            self.client.ask(path, self.key, method="POST" if "things" in path else "GET")
        return super().ask(path)


class TellsKey(Reader):
    """Names the key in its error."""

    def readings(self, request):
        try:
            return super().readings(request)
        except Rejected as error:
            raise Rejected(f"not with {self.key}: {error.message}") from None


class ChainsKey(Reader):
    """Hangs an exception that names the key below its own."""

    def readings(self, request):
        try:
            return super().readings(request)
        except Rejected as error:
            raise Rejected("not so") from ValueError(f"{self.key} {error.status}")


class KeyInUrl(Reader):
    """Sends the key as a query argument of its own."""

    def ask(self, path):
        return self.client.ask(path, self.key, params={"key": self.key})


class LogsKey(Reader):
    """Logs what it asks with."""

    def ask(self, path):
        structlog.get_logger(__name__).info("asked", key=self.key)
        return super().ask(path)


@dataclasses.dataclass
class _Shown:
    key: str


class ShowsKey(Reader):
    """Has the key in its repr."""

    def __repr__(self):
        return repr(_Shown(self.key))


class LooksOddly(Reader):
    """Lists ids that are no text."""

    def look(self):
        return [Found("thing", number) for number, _ in enumerate(super().look())]


class LooksCarelessly(Reader):
    """Takes the list for what was promised."""

    def look(self):
        return [Found("thing", name) for name in json.loads(self.ask("names").body)["names"]]


class LooksAtRest(Reader):
    """Looks around while the gate is closed."""

    def look(self):
        made = Client(http=self.link.http, base_url=self.link.settings.url)
        return [Found("thing", n) for n in made.ask("names", self.key).parsed(NAMES).names]
