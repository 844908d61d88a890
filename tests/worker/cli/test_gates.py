"""Promises of `waggle gates`: limits under names that people know, and opened when they say so."""

import time

import pytest
from sqlmodel import select

from db.models import Event, Feed, Source, User
from db.models_limits import Breaker, Quota
from db.models_pages import Deed
from simulators.faults import Fault

KEY = "bemserver:0123456789abcdef01234567"


@pytest.fixture
def limited(applied, ledger):
    """The plant's gate is closed for 10 minutes; both feeds wait, one of them for a callback."""
    now = time.time()
    with ledger.write() as session:
        session.get_one(Source, 1).quota_key = KEY
        session.add(
            Quota(
                key=KEY,
                vendor="bemserver",
                closed_at=now - 60,
                closed_until=now + 600,
                seen_limit="rate_limited",
                learned_interval=0.02,
                learned_window=1.0,
                learned_at=now + 600,
            )
        )
        for number, lane in ((1, 0), (2, 2)):
            feed = session.get_one(Feed, number)
            feed.lane, feed.deferrals, feed.due_at = lane, 1, now + 600.3
    return applied


def gate_row(ledger, key=KEY):
    """The gate as it stands."""
    with ledger.read() as session:
        return session.get_one(Quota, key)


def due_in(ledger):
    """In how many seconds each feed is due, roughly."""
    with ledger.read() as session:
        return [round(session.get_one(Feed, number).due_at - time.time()) for number in (1, 2)]


def test_without_limits_there_is_nothing_to_see(applied):
    """A sentence for people, an empty list for scripts, no section in the status."""
    assert "no vendor has named" in applied("gates").stdout
    assert applied.json("gates") == []
    assert "limits" not in applied("status").stdout
    status = applied.json("status")
    assert (status["gates"], status["breakers"]) == ([], [])


def test_a_closed_gate_is_shown_whole(limited):
    """Which, since when, until when, why, who waits, at which pace it will go on."""
    told = limited("gates").stdout
    for words in ("bemserver:plant", "closed", "in 10 min", "50/s", "refused by a limit"):
        assert words in told
    (gate,) = limited.json("gates")
    assert gate["name"] == "bemserver:plant"
    assert (gate["state"], gate["waiting"], gate["asked"]) == ("closed", 2, 1)
    assert (gate["sources"], gate["endpoint"]) == (["plant"], "")


def test_the_status_tells_of_it(limited):
    """The keys that scripts rely on; one line for people, and nothing of the key."""
    (gate,) = limited.json("status")["gates"]
    assert gate.keys() == {
        "name", "state", "vendor", "title", "endpoint",
        "since", "until", "reason", "waiting", "pace",
    }  # fmt: skip
    assert (gate["vendor"], gate["title"], gate["reason"]) == ("bemserver", "plant", "rate_limited")
    assert (gate["waiting"], gate["pace"]) == (2, 50.0)
    assert (gate["name"], gate["state"]) == ("bemserver:plant", "closed")
    assert gate["since"] < gate["until"]
    told = limited("status").stdout
    assert "limits\n  bemserver:plant  closed since 20" in told
    assert "(refused by a limit), opens in 10 min; 2 feeds wait, 1 for callbacks\n" in told
    assert "0123456789abcdef" not in told


def test_a_learned_pace_is_told_while_it_is_kept(limited, ledger):
    """A gate that is open and goes slower than it might; one that has forgotten is left out."""
    with ledger.write() as session:
        row = session.get_one(Quota, KEY)
        row.closed_until, row.learned_at = time.time() - 1, time.time()
        row.proven_at = time.time()
    assert "bemserver:plant  goes at 50/s, learned from its answers\n" in limited("status").stdout
    (gate,) = limited.json("status")["gates"]
    assert (gate["since"], gate["until"], gate["reason"]) == (None, None, None)
    with ledger.write() as session:
        session.get_one(Quota, KEY).learned_at = 0.0
    assert limited.json("status")["gates"] == []
    assert limited.json("gates")[0]["pace"] is None


def test_what_is_left_of_a_window_is_told_while_it_is_spread(limited, ledger):
    """A few requests for the rest of the hour: that is the pace now, and no longer."""
    with ledger.write() as session:
        row = session.get_one(Quota, KEY)
        row.closed_until, row.proven_at = time.time() - 1, time.time()
        row.spread_interval, row.spread_until = 30.0, time.time() + 600
    assert "bemserver:plant  goes at 2/min, " in limited("status").stdout
    with ledger.write() as session:
        session.get_one(Quota, KEY).spread_until = time.time() - 1
    assert "bemserver:plant  goes at 50/s, " in limited("status").stdout


@pytest.mark.parametrize("name", ["bemserver:plant", "plant", "BEMserver:Plant"])
def test_a_gate_is_opened_by_any_of_its_names(limited, ledger, name):
    """One request goes first, and what was put back for it is due at once."""
    told = limited("gates", "--open", name).stdout
    assert told == (
        "bemserver:plant may be used again: one request goes first; 2 feeds wait, 1 for callbacks\n"
    )
    row = gate_row(ledger)
    assert row.closed_until < time.time()
    assert row.closed_until > row.proven_at  # half open: everybody waits for the one that goes
    assert max(due_in(ledger)) <= 1
    assert "may be open: one request goes first; 2 feeds" in limited("status").stdout
    (gate,) = limited.json("status")["gates"]
    assert (gate["since"] is not None, gate["until"]) == (True, None)


def test_all_gates_are_opened_at_once(limited, ledger):
    """With --all, and told as JSON; those that stand open are left alone."""
    with ledger.write() as session:
        session.add(Quota(key="beeminder:1", vendor="beeminder", closed_until=time.time() + 60))
        session.add(Quota(key="x:1", vendor="x", closed_until=5.0, proven_at=6.0))
    opened = limited.json("gates", "--open", "--all")
    assert opened == {"opened": ["beeminder:alice", "bemserver:plant"]}
    assert gate_row(ledger, "x:1").closed_until == 5.0
    assert limited("gates", "--open", "--all").stdout == (
        "no gate is closed or slowed down: nothing was changed\n"
    )


def test_who_opened_a_gate_is_kept(limited, ledger):
    """Once for each gate that was opened, and not for one that had not to be."""
    limited("gates", "--open", "--all")
    limited("gates", "--open", "--all")
    with ledger.read() as session:
        kept = session.exec(select(Deed)).all()
    assert [(deed.actor, deed.action, deed.subject) for deed in kept] == [
        ("command line", "open gate", "bemserver:plant")
    ]


def test_an_open_gate_need_not_be_opened(limited, ledger):
    """Nothing is changed, which is no failure."""
    limited("gates", "--open", "plant")
    before = gate_row(ledger)
    assert "plant is not closed or slowed down" in limited("gates", "--open", "plant").stdout
    assert gate_row(ledger) == before


@pytest.mark.parametrize(
    "columns",
    [
        {"next_free_at": 4e9},
        {"learned_interval": 30.0, "learned_at": 4e9},
        {"spread_interval": 900.0, "spread_until": 4e9, "next_free_at": 3e9},
    ],
)
@pytest.mark.parametrize("arguments", [("plant",), ("--all",)])
def test_a_gate_that_is_only_slow_goes_on_at_once(limited, ledger, columns, arguments):
    """A pace that was learned, named or spread, and slots far ahead of it: all is forgotten."""
    with ledger.write() as session:
        row = session.get_one(Quota, KEY)
        row.proven_at, row.closed_until, row.learned_interval = 6.0, 5.0, 0.0
        row.sqlmodel_update(columns)
    told = limited("gates", "--open", *arguments).stdout
    assert told.startswith("bemserver:plant goes on at once: what slowed it down is forgotten")
    row = gate_row(ledger)
    assert (row.next_free_at, row.learned_interval, row.spread_until) == (0.0, 0.0, 0.0)
    assert (row.closed_until, row.proven_at) == (5.0, 6.0)
    assert max(due_in(ledger)) <= 1
    assert "is not closed or slowed down" in limited("gates", "--open", "plant").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--open", "plnt"), "there is no gate 'plnt'; did you mean 'plant'?"),
        (("--open",), "--open needs the NAME of a gate, or --all"),
        (("--open", "plant", "--all"), "--open needs the NAME of a gate, or --all"),
        (("--all",), "--all goes with --open"),
    ],
)
def test_what_is_not_clear_is_refused(limited, ledger, arguments, told):
    """Exit status 2, what was probably meant, and nothing is opened."""
    assert told in limited.refusal("gates", *arguments)
    assert gate_row(ledger).closed_until > time.time()


def test_a_name_where_no_gate_is_known(applied):
    """No list of names, and no advice that leads nowhere."""
    assert "no vendor has named a limit yet" in applied.refusal("gates", "--open", "plant")


@pytest.mark.parametrize(("interval", "told"), [(0.0, "10/s"), (0.5, "2/s"), (90.0, "40/h")])
def test_beeminder_goes_at_the_slower_pace(applied, ledger, interval, told):
    """Ours by the setting, or a slower one that refusals taught."""
    now = time.time()
    with ledger.write() as session:
        username = session.get_one(User, 1).username
        session.add(
            Quota(
                key="beeminder:1",
                vendor="beeminder",
                title="old name",
                learned_interval=interval,
                learned_window=1.0,
                learned_at=now + 60,
            )
        )
    shown = applied("gates").stdout
    assert told in shown
    assert f"beeminder:{username}" in shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(43, "in 43 s"), (5400, "in 90 min"), (90000, "in 25 h 0 min"), (2.0**31, "in 24856 days")],
)
def test_a_wait_is_told_in_words(limited, ledger, seconds, told):
    """Short ones in seconds, long ones in hours; never shorter than it is."""
    with ledger.write() as session:
        session.get_one(Quota, KEY).closed_until = time.time() + seconds - 0.01
    shown = limited("gates").stdout
    assert told in shown or told.replace("43", "42") in shown


def test_an_open_breaker_is_told(applied, ledger):
    """Whose it is, since when, why, and when it is tried again; without what steers a terminal."""
    now = time.time()
    with ledger.write() as session:
        session.add(
            Breaker(
                subject="source:1",
                opened_at=now - 60,
                troubled_since=1_793_880_000.0,
                reason="connection \x1b[31mrefused",
                probe_at=now + 600,
            )
        )
    told = applied("status").stdout
    assert "no answer\n  source plant of alice  since 2026-11-05 12:00:00 (conn" in told
    assert "tried again in 10 min\n" in told
    assert "\x1b" not in told
    (found,) = applied.json("status")["breakers"]
    assert found.keys() == {"subject", "since", "reason", "next_probe"}
    assert (found["subject"], found["since"]) == ("source plant of alice", "2026-11-05T12:00:00Z")


def test_what_was_deferred_and_what_is_dangerous_is_told(applied, ledger):
    """Callbacks that had to wait, feeds that run alone, feeds that are set aside: none, no line."""
    told = applied("status").stdout
    assert not any(word in told for word in ("deferred ", "suspect ", "aside "))
    now = time.time()
    with ledger.write() as session:
        first, second = session.get_one(Feed, 1), session.get_one(Feed, 2)
        first.state, first.reason = "failing", "set_aside"
        second.suspect = True
        for number, deferrals in enumerate((0, 2, 3)):
            session.add(
                Event(
                    id=f"{number}", kind="autofetch", received_at=now, deferrals=deferrals,
                    state="done", finished_at=now,
                )
            )  # fmt: skip
    told = applied("status").stdout
    assert "deferred by limits: 2 callbacks, 5 times in 24 h\n" in told
    assert "suspect  alice/energy:roof: " in told
    assert "aside    alice/energy: " in told
    found = applied.json("status")
    assert (found["suspects"], found["set_aside"]) == (["alice/energy:roof"], ["alice/energy"])
    assert found["deferred"] == {"callbacks": 2, "times": 5}


def test_a_refusal_of_a_source_is_seen_and_opened(here, world):
    """From the answer to the command and back: who refused, who waits; then the data comes."""
    world.bemserver.faults.add(Fault(status=429, headers={"Retry-After": "900"}))
    world.work()
    (gate,) = here.json("gates")
    assert (gate["name"], gate["reason"]) == ("bemserver:plant", "rate_limited")
    assert (gate["state"], gate["waiting"]) == ("closed", 1)
    here("gates", "--open", "plant")
    world.clock.at = time.time()
    world.work()
    assert world.values()
    assert [gate["state"] for gate in here.json("gates")] == ["open"]
    assert here.json("status")["gates"] == []
