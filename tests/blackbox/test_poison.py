"""A feed that kills its worker is found among the others, and set aside; they go on."""

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from tests.blackbox.house import PATIENCE, House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(240)]

SHELF = """
import os, signal

from tasks.providers import Metric, MetricParams, Provider, Reading, SourceSettings


class Settings(SourceSettings):
    def account(self):
        return "shelf"


class Params(MetricParams):
    kills: bool = False

    def value_kind(self):
        return "total"


class Reader:
    def read(self, requests):
        if any(request.params.kills for request in requests):
            os.kill(os.getpid(), signal.SIGKILL)
        return {one.key: {day.daystamp: Reading(1.0) for day in one.days} for one in requests}


PROVIDER = Provider(
    name="shelf",
    title="Shelf",
    settings=Settings,
    metrics={"drunk": Metric(name="drunk", description="", params=Params, kind="total")},
    connect=lambda link: Reader(),
)
"""
BOTTLES = 6
POISON = 2
DEATHS = 6
BETWEEN_CALLBACKS = 2.0  # asking without a pause would take a core from what is watched
SET_ASIDE_WITHIN = 160.0  # six deaths, and the lease after each of them


@pytest.fixture
def poisoned(tmp_path: Path) -> House:
    """A house that knows a provider of a package of its own, as somebody might install it."""
    package = tmp_path / "packages"
    info = package / "shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "shelf_of_poison.py").write_text(SHELF)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[waggle.providers]\nshelf = shelf_of_poison:PROVIDER\n")
    return House(tmp_path, PYTHONPATH=str(package))


def bottles(home: House) -> str:
    """Feeds of one source, of which one kills whoever reads it, together with all the others."""
    text = '[sources.shelf]\nprovider = "shelf"\nuser = "alice"\n'
    for number in range(BOTTLES):
        home.sims.beeminder.state.add_goal("alice", f"bottle{number}", kyoom=True, aggday="sum")
        kills = str(number == POISON).lower()
        text += (
            f'[feeds."alice/bottle{number}"]\nsource = "shelf"\nmetric = "drunk"\n'
            f"params = {{ kills = {kills} }}\n"
        )
    return text


def test_a_poisonous_feed_is_set_aside_and_the_others_are_served(poisoned: House) -> None:
    """It kills the worker six times: `waggle up` survives, and its neighbours lose nothing."""
    with poisoned as home:
        home.run("apply", str(home.declare("energy")))
        home.up()
        home.wait(home.ours)
        home.run("apply", str(home.declare("energy", text=bottles(home))))
        began = time.monotonic()

        others = [f"bottle{number}" for number in range(BOTTLES) if number != POISON]
        home.wait(lambda: all(home.ours(slug) for slug in others))
        assert time.monotonic() - began < PATIENCE

        served = 0
        while deaths(home) < DEATHS:
            assert time.monotonic() - began < SET_ASIDE_WITHIN, home.log()[-3000:]
            pause_no_more(home)
            home.grow(time.monotonic() % 7)
            served += home.autofetch().status_code == 200
            until = time.monotonic() + BETWEEN_CALLBACKS
            home.wait(lambda until=until: deaths(home) == DEATHS or time.monotonic() > until)
        home.wait(lambda: poison(home)["state"] == "failing")
        assert deaths(home) == DEATHS
        assert served > 0
        assert "5 times in a row" in poison(home)["last_error"]
        answer = home.autofetch(f"bottle{POISON}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "set_aside")
        assert home.autofetch().status_code == 200
        shown = home.run("status").stdout
        assert f"alice/bottle{POISON}" in shown
        assert f"waggle resume alice/bottle{POISON}" in shown
        assert deaths(home) == DEATHS
        assert home.stop() == 0


def pause_no_more(home: House) -> None:
    """The pauses after its deaths are over: with a clock they are kept in `tests/db`."""
    with contextlib.closing(sqlite3.connect(home.folder / "home" / "waggle.db")) as ledger:
        ledger.execute("UPDATE feed SET lease_until = 0 WHERE lease_owner IS NULL")
        ledger.commit()


def deaths(home: House) -> int:
    """How often the worker has been killed so far."""
    return home.log().count("worker ended with status -9")


def poison(home: House) -> dict:
    """What `waggle status` says of it."""
    found = {feed["feed"]: feed for feed in home.json("status")["feeds"]}
    return found[f"alice/bottle{POISON}"]
