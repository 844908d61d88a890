"""Promises of `waggle doctor`: what is broken is red with a remedy, what works is not."""

import time

import pytest

from db import sources
from db.models import Feed, Source, User
from db.models_limits import Breaker, Quota
from db.models_runs import Run
from tasks.metrics import bemserver


def test_all_is_well(diagnose, staffed):
    """Everything is looked at, nothing is red, exit status 0."""
    found = diagnose(status=0)
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert set(found) == {
        *("settings", "home", "disk", "database", "clocks", "keys", "workers", "beat", "work"),
        *("broker", "callbacks", "Beeminder's clock", "source plant", "Beeminder alice"),
    }


def test_no_worker_is_red(diagnose):
    """Nothing would be synced: that is no small thing."""
    found = diagnose(status=1)
    assert found["workers"]["state"] == "red"
    assert "waggle up" in found["workers"]["remedy"]


def test_a_refused_login_is_red(diagnose, staffed, world):
    """The source is named with what to do; the others are still looked at."""
    world.bemserver.state.users.clear()
    found = diagnose(status=1)
    assert found["source plant"]["state"] == "red"
    assert "waggle apply" in found["source plant"]["remedy"]
    assert found["Beeminder alice"]["state"] == "ok"


def test_a_key_that_ends_soon_is_odd(here, staffed, ledger):
    """It works today: shown with its day and what to do, and nothing is red."""
    with ledger.write() as session:
        session.get_one(Source, 1).key_ends_at = 1.0
    shown = [row for row in here.json("doctor", status=0) if row["what"] == "source plant"]
    assert [row["state"] for row in shown] == ["ok", "odd"]
    assert "1970-01-01" in shown[1]["text"]
    assert "waggle apply" in shown[1]["remedy"]


def test_a_series_that_is_not_there_is_red(diagnose, staffed, world):
    """A login that works is not enough: what the feeds read has to be there."""
    world.link("output", series=987654)
    assert diagnose(status=1)["source plant"]["state"] == "red"


def test_a_dead_source_is_red(diagnose, staffed, world):
    """An address where nobody answers."""
    world.bemserver_server.stop()
    assert diagnose(status=1)["source plant"]["state"] == "red"


def test_a_dead_token_is_red(diagnose, staffed, world):
    """Beeminder refuses it."""
    world.beeminder.state.personal_tokens.clear()
    assert diagnose(status=1)["Beeminder alice"]["state"] == "red"


def test_a_token_of_somebody_else_is_red(diagnose, staffed, ledger):
    """Points would go to another person's goals."""
    with ledger.write() as session:
        session.get_one(User, 1).username = "bob"
    assert "alice's" in diagnose(status=1)["Beeminder bob"]["text"]


@pytest.mark.parametrize(("key", "what"), [("vendor:x", "plant"), ("beeminder:1", "alice")])
def test_a_closed_gate_is_odd_and_not_asked(here, staffed, ledger, world, key, what):
    """Told with what to do; the doctor keeps to limits too, and a wait is no failure."""
    now = time.time()
    with ledger.write() as session:
        provider, source = bemserver.PROVIDER, session.get_one(Source, 1)
        secrets = sources.credentials(source, world.vault)
        settings = provider.settings.model_validate({**source.settings, **secrets})
        if key == "vendor:x":
            key = settings.quotas()[0].key("bemserver")
        source.quota_key = key
        session.add(Quota(key=key, vendor=key.partition(":")[0], closed_until=now + 600))
    found = {finding["what"]: finding for finding in here.json("doctor", status=0)}
    gate = next(finding for finding in found.values() if finding["what"].startswith("gate "))
    assert gate["state"] == "odd"
    assert "opens in 10 min" in gate["text"]
    assert f"waggle gates --open {gate['what'].removeprefix('gate ')}`" in gate["remedy"]
    called = found["source plant" if what == "plant" else "Beeminder alice"]
    assert called["state"] == "odd"
    assert called["text"].startswith("not asked before 20")
    assert "waggle gates" in called["remedy"]


def test_an_open_breaker_is_odd(here, staffed, ledger):
    """Since when and why; whether it answers now is what the call itself finds out."""
    with ledger.write() as session:
        session.add(
            Breaker(
                subject="source:1",
                opened_at=1.0,
                troubled_since=1.0,
                reason="refused",
                probe_at=9e9,
            )
        )
    found = {finding["what"]: finding for finding in here.json("doctor", status=0)}
    told = found["source plant of alice"]
    assert (told["state"], "refused" in told["text"]) == ("odd", True)
    assert "reached" in told["remedy"]


def test_what_was_set_aside_is_red_and_suspects_are_odd(diagnose, staffed, ledger, world):
    """Nobody tries it any more until a person does something; who is tried alone needs nobody."""
    other = world.link("output")
    with ledger.write() as session:
        session.get_one(Feed, world.feed_id).suspect = True
    found = diagnose(status=0)
    assert found["suspects"]["state"] == "odd"
    assert found["suspects"]["text"].startswith("alice/energy: ")
    assert "set aside" not in found
    with ledger.write() as session:
        feed = session.get_one(Feed, other)
        feed.state, feed.reason = "failing", "set_aside"
    found = diagnose(status=1)
    assert found["set aside"]["state"] == "red"
    assert found["set aside"]["text"].startswith("alice/output: ")
    for command in ("waggle sync alice/output --preview", "waggle resume alice/output"):
        assert command in found["set aside"]["remedy"]


def test_runs_without_live_progress_are_odd(here, staffed, ledger):
    """Which, why, and what to do: they are read all the same, or will be, so nothing is red."""
    with ledger.write() as session:
        session.add(Run(source_id=1, run_id="r1", seen_at=1.0))
        session.add(
            Run(source_id=1, run_id="r2", seen_at=9e9, stream="given_up", stream_error="403")
        )
    found = [one for one in here.json("doctor", status=0) if one["what"] == "live progress"]
    assert [one["state"] for one in found] == ["odd", "odd"]
    assert "run r1 of source plant of alice: not heard of" in found[0]["text"]
    assert "waggle up" in found[0]["remedy"]
    assert "run r2 of source plant of alice (403): the stream was given up" in found[1]["text"]
    assert "progress_auth" in found[1]["remedy"]


def test_a_dead_broker_is_red_and_soon_told(diagnose, staffed, here):
    """Named with its setting; the password in its address is not shown."""
    here.env["BROKER_URL"] = "redis://:canary-pw@127.0.0.1:1/0"
    found = diagnose(status=1)
    assert "BROKER_URL" in found["broker"]["remedy"]
    assert "canary" not in str(found)


def test_a_dead_database_is_red(diagnose, here):
    """A finding, not an abort: the rest that can be looked at is looked at."""
    here.env["DATABASE_URL"] = "postgresql://u:canary-pw@127.0.0.1:1/x"
    found = diagnose(status=1)
    assert found["database"]["state"] == "red"
    assert found["broker"]["state"] == "ok"
    assert "canary" not in str(found)


def test_what_others_can_read_is_odd(diagnose, staffed, folder):
    """A readable .env or home is told, and is no reason to fail."""
    (folder / ".env").write_text("A=b\n")
    (folder / ".env").chmod(0o644)
    (folder / "var").mkdir(mode=0o755)
    found = diagnose(status=0)
    assert (found["settings"]["state"], found["home"]["state"]) == ("odd", "odd")


def test_people_read_lines(here, staffed, door):
    """One line each, state first."""
    lines = here("doctor").stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert "canary" not in "".join(lines)
