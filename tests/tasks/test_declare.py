"""Promises about applying: what is declared comes to be, once, and only what differs is touched."""

import json

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event
from sqlmodel import select

from db import outbox, people, recording, sources
from db.models import Feed, Goal, Source, User
from db.models_notebook import Validator
from db.models_points import Datapoint
from db.states import FeedState, Lane, SourceState
from db.vault import Vault
from tasks import declare, declare_file, providers
from tasks.declare_problems import DeclarationError
from tasks.declare_sources import HTTPS

NOW = 1_793_880_000.0
KEY = Fernet.generate_key().decode()
FILE = """
[users.alice]
token = "canary-token"

[sources.plant]
provider = "bemserver"
user = "alice"
url = "https://bem.example.org/api/v0"
email = "alice@example.org"
password = "canary-password"

[feeds."alice/energy"]
source = "plant"
metric = "timeseries_aggregate"
params = { timeseries = 1 }

[feeds."alice/output:roof"]
source = "plant"
metric = "timeseries_aggregate"
params = { timeseries = 2 }
every = "2h"
"""


@pytest.fixture
def vault():
    """A vault with one key."""
    return Vault([KEY])


@pytest.fixture
def apply(ledger, vault):
    """Apply a file; returns {(kind, name): (action, details)}."""

    def applied(text=FILE, *, now=NOW, vault=vault, **options):
        declaration = declare_file.parse(
            text,
            file="waggle.toml",
            env={},
            providers=providers.table(),
            addresses=HTTPS,
            now=now,
        )
        done = declare.apply(ledger, vault, declaration, now=now, **options)
        applied.last = done
        return {(c.kind, c.name): (c.action, c.details) for c in done.changes}

    return applied


@pytest.fixture
def one(ledger):
    """The only row of a table that matches."""

    def found(model, **by):
        with ledger.read() as session:
            rows = session.exec(select(model).filter_by(**by)).all()
        assert len(rows) == 1
        return rows[0]

    return found


def edit(ledger, model, values, **by):
    """Change rows behind the back of the file."""
    with ledger.write() as session:
        for row in session.exec(select(model).filter_by(**by)):
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


def test_a_first_apply_makes_everything(apply, ledger, vault, one):
    """User, source and feeds exist as declared, due at once, with secrets encrypted."""
    assert apply() == {
        ("user", "alice"): ("created", ()),
        ("source", "plant"): ("created", ()),
        ("feed", "alice/energy"): ("created", ()),
        ("feed", "alice/output:roof"): ("created", ()),
    }
    user, source = one(User), one(Source)
    assert vault.decrypt(user.token_cipher) == "canary-token"
    assert sources.credentials(source, vault) == {"password": "canary-password"}
    assert "canary" not in json.dumps(source.settings)
    feed = one(Feed, label="roof")
    assert (feed.state, feed.lane, feed.due_at, feed.every) == ("active", Lane.DEFAULT, NOW, 7200)
    assert feed.params == {
        "timeseries": 2,
        "aggregation": "sum",
        "data_state": "Clean",
    }
    assert one(Goal, slug="output").declared_slug == "output"


def test_a_second_apply_writes_no_row(apply, ledger):
    """The same file again is all `unchanged`, and not one statement changes the database."""
    apply()
    written = []

    def watch(_conn, _cursor, statement, *_):
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", watch)
    assert {action for action, _ in apply(now=NOW + 60).values()} == {"unchanged"}
    event.remove(ledger.engine, "before_cursor_execute", watch)
    assert written == []


def test_a_dry_run_says_the_same_and_keeps_nothing(apply, ledger):
    """What would be done is told, and no row is there afterwards."""
    dry = apply(dry_run=True)
    with ledger.read() as session:
        for model in (User, Source, Goal, Feed):
            assert session.exec(select(model)).all() == []
    assert dry == apply()


def test_the_reminder_hook_is_made_once(apply, ledger, vault):
    """The hook that is shown is the one that the receiver looks up, and it stays."""
    apply()
    first = apply.last.hooks["alice"]
    apply(FILE.replace("canary-token", "another"))
    assert apply.last.hooks["alice"] == first
    with ledger.read() as session:
        assert people.user_with_hook(session, vault.fingerprints(first)) is not None


def test_a_new_token_is_stored_and_the_person_is_active(apply, ledger, vault, one):
    """Whoever had to connect again is active with the new token."""
    apply()
    edit(ledger, User, {"state": "reauthorize"})
    told = apply(FILE.replace("canary-token", "another"))
    assert told["user", "alice"] == ("changed", ("token",))
    user = one(User)
    assert (user.state, vault.decrypt(user.token_cipher)) == ("active", "another")
    assert user.token_hash == vault.fingerprint("another")


def test_new_credentials_end_the_old_login_and_wake_failing_feeds(apply, ledger, one):
    """The session of the old password is gone, and what failed for it is due at once."""
    apply()
    edit(ledger, Source, {"session_cipher": "x", "token_version": 3, "state": "reauthorize"})
    edit(ledger, Feed, {"state": "failing", "due_at": NOW + 9e4, "cursor": {"a": 1}}, label="")
    edit(ledger, Feed, {"state": "paused", "due_at": NOW + 9e4}, label="roof")
    told = apply(FILE.replace("canary-password", "canary-new"))
    assert told["source", "plant"] == ("changed", ("password",))
    source, feed = one(Source), one(Feed, label="")
    assert (source.session_cipher, source.state) == (None, SourceState.ACTIVE)
    assert source.token_version == 4
    assert (feed.state, feed.due_at, feed.cursor) == (FeedState.ACTIVE, NOW, {"a": 1})
    assert one(Feed, label="roof").state == FeedState.PAUSED


def test_new_credentials_wake_feeds_that_the_file_does_not_name(apply, ledger, one):
    """They go on without a line in the file, so they wake with the others; a worker is fenced."""
    apply()
    edit(ledger, Feed, {"state": "failing", "due_at": NOW + 9e4, "epoch": 5, "attempts": 3})
    less = FILE.split('[feeds."alice/output:roof"]', maxsplit=1)[0]
    apply(less.replace("canary-password", "canary-new"))
    feed = one(Feed, label="roof")
    assert (feed.state, feed.due_at, feed.attempts) == (FeedState.ACTIVE, NOW, 0)
    assert feed.epoch > 5


def test_another_account_counts_anew(apply, ledger, one):
    """Another address is another account: digests, cursors and remembered answers are dropped."""
    apply()
    edit(ledger, Feed, {"digest": "d", "cursor": {"a": 1}, "due_at": NOW + 9e4})
    with ledger.write() as session:
        session.add(Validator(source_id=one(Source).id, url="/x", etag="e"))
    told = apply(FILE.replace("bem.example.org", "other.example.org"))
    assert told["source", "plant"] == ("changed", ("url",))
    feed = one(Feed, label="")
    assert (feed.digest, feed.cursor, feed.due_at) == (None, {}, NOW)
    with ledger.read() as session:
        assert session.exec(select(Validator)).all() == []


def test_changed_parameters_fence_off_the_sync_that_runs(apply, ledger, one):
    """A worker that read by the old parameters can't record what it read."""
    apply()
    edit(
        ledger,
        Feed,
        {
            "digest": "d",
            "due_at": NOW + 9e4,
            "epoch": 5,
            "lease_owner": "w",
            "lease_until": NOW + 10,
            "lane": Lane.BULK,
        },
    )
    told = apply(FILE.replace("timeseries = 1 ", "timeseries = 3 "))
    assert told["feed", "alice/energy"] == ("changed", ("params",))
    assert told["feed", "alice/output:roof"] == ("unchanged", ())
    feed = one(Feed, label="")
    assert (feed.epoch, feed.lease_owner, feed.lease_until) == (6, None, 0.0)
    assert (feed.digest, feed.due_at, feed.lane) == (None, NOW, Lane.DEFAULT)
    assert one(Feed, label="roof").lease_owner == "w"


def test_a_shorter_interval_counts_from_now(apply, ledger, one):
    """Another `every` does not sync at once, and does not wait for the old one either."""
    apply()
    edit(ledger, Feed, {"due_at": NOW + 7000, "digest": "d"}, label="roof")
    told = apply(FILE.replace('"2h"', '"10m"'))
    assert told["feed", "alice/output:roof"] == ("changed", ("every",))
    feed = one(Feed, label="roof")
    assert (feed.due_at, feed.digest) == (NOW + 600, "d")


def test_an_urgent_feed_stays_urgent(apply, ledger, one):
    """A callback that waits is not put behind the schedule by an apply."""
    apply()
    edit(ledger, Feed, {"lane": Lane.URGENT, "due_at": NOW - 5}, label="")
    apply(FILE.replace("timeseries = 1 ", "timeseries = 3 "))
    assert (one(Feed, label="").lane, one(Feed, label="").due_at) == (Lane.URGENT, NOW - 5)


def test_a_renamed_goal_is_found_by_its_declared_name(apply, ledger, one):
    """A rename at Beeminder changes nothing in the file, and the feed keeps its memory."""
    apply()
    edit(ledger, Goal, {"slug": "power"}, slug="energy")
    feed_id = one(Feed, label="").id
    assert {action for action, _ in apply().values()} == {"unchanged"}
    told = apply(FILE.replace("alice/energy", "alice/power"))
    assert told["feed", "alice/power"] == ("unchanged", ())
    assert one(Goal, slug="power").declared_slug == "power"
    assert one(Feed, label="").id == feed_id


def test_both_names_of_a_renamed_goal_are_a_mistake(apply, ledger):
    """Two feeds of one goal under its two names would count twice: refused, nothing is kept."""
    apply()
    edit(ledger, Goal, {"slug": "power"}, slug="energy")
    both = FILE + FILE.split("\n\n")[2].replace("energy", "power").replace("= 1", "= 9")
    with pytest.raises(DeclarationError, match="renamed at Beeminder"):
        apply(both)
    with ledger.read() as session:
        assert len(session.exec(select(Feed)).all()) == 2


def test_two_goals_that_swapped_names_keep_their_feeds(apply, ledger):
    """Declared names decide, so feeds do not change goals when two goals swap their slugs."""
    apply()
    edit(ledger, Goal, {"slug": "~"}, declared_slug="energy")
    edit(ledger, Goal, {"slug": "energy"}, declared_slug="output")
    edit(ledger, Goal, {"slug": "output"}, declared_slug="energy")
    assert {action for action, _ in apply().values()} == {"unchanged"}


def test_pruning_stops_what_is_not_in_the_file(apply, ledger, one):
    """Only with `prune`: the feed stops, is fenced off, its pending points are withdrawn."""
    apply()
    less = FILE.split('[feeds."alice/output:roof"]', maxsplit=1)[0]
    apply(less)
    assert apply.last.unlisted == ("alice/output:roof",)
    feed = one(Feed, label="roof")
    assert feed.state == FeedState.ACTIVE
    point = outbox.Point(requestid="wg-1", value=1, comment="", daystamp="20261101")
    with ledger.write() as session:
        recording.record(
            session,
            goal_id=feed.goal_id,
            feed_id=feed.id,
            days=(),
            judged=[outbox.Judged(point)],
            read_at=NOW,
            now=NOW,
        )
    told = apply(less, prune=True)
    assert told["feed", "alice/output:roof"] == ("removed", ())
    stopped = one(Feed, label="roof")
    assert (stopped.state, stopped.epoch) == (FeedState.STOPPED, feed.epoch + 1)
    assert one(Datapoint).state == "withdrawn"
    assert ("feed", "alice/output:roof") not in apply(less, prune=True)


def test_a_stopped_feed_in_the_file_runs_again(apply, ledger, one):
    """Back in the file, back at work, at once."""
    apply()
    apply(FILE.split('[feeds."alice/output:roof"]', maxsplit=1)[0], prune=True)
    edit(ledger, Feed, {"due_at": NOW + 9e4}, label="roof")
    told = apply()
    assert told["feed", "alice/output:roof"] == ("changed", ("state",))
    feed = one(Feed, label="roof")
    assert (feed.state, feed.reason, feed.due_at) == (FeedState.ACTIVE, None, NOW)


def test_a_goal_without_feeds_gets_its_data_source_back(apply, ledger, one):
    """With its last feed, and not when the feed is back in the file before that was done."""
    apply()
    edit(ledger, Goal, {"datasource_before": "ifttt"})
    less = FILE.split('[feeds."alice/output:roof"]', maxsplit=1)[0]
    apply(less, prune=True)
    assert one(Goal, slug="output").datasource_want == "ifttt"
    assert one(Goal, slug="energy").datasource_want is None
    apply()
    assert one(Goal, slug="output").datasource_want is None


def test_a_deauthorized_person_is_not_woken_without_a_token(apply, ledger, one):
    """Who took our leave away is not written for until there is a token again."""
    apply()
    edit(ledger, User, {"token_cipher": None, "token_hash": None, "state": "deauthorized"})
    edit(ledger, Feed, {"state": "stopped", "reason": "deauthorized"})
    without = FILE.replace('token = "canary-token"', "")
    apply(without + FILE.split("\n\n")[2].replace("energy", "energy:more").replace("= 1", "= 9"))
    with ledger.read() as session:
        feeds = session.exec(select(Feed)).all()
    assert {(feed.state, feed.reason) for feed in feeds} == {("stopped", "deauthorized")}
    apply()
    assert one(Feed, label="roof").state == FeedState.ACTIVE


def test_a_person_nobody_knows_needs_a_token(apply, ledger):
    """A user without a token who never connected is told, and nothing is kept."""
    with pytest.raises(DeclarationError, match=r"users\.alice\.token"):
        apply(FILE.replace('token = "canary-token"', ""))
    with ledger.read() as session:
        assert session.exec(select(User)).all() == []


def test_a_lost_key_is_healed_by_applying(apply, ledger, one):
    """With another key the file's secrets are stored anew instead of failing for ever."""
    apply()
    other = Vault([Fernet.generate_key().decode()])
    told = apply(vault=other)
    assert told["user", "alice"] == ("changed", ("token", "reminder"))
    assert told["source", "plant"][0] == "changed"
    assert other.decrypt(one(User).token_cipher) == "canary-token"
    assert sources.credentials(one(Source), other) == {"password": "canary-password"}


def test_no_secret_is_in_what_is_told(apply):
    """Changes name what changed, never the value."""
    apply()
    apply(FILE.replace("canary-", "canary-2-"))
    assert "canary" not in json.dumps(apply.last.as_json())


def test_a_new_token_wakes_what_the_old_one_had_stopped(apply, ledger):
    """Feeds that failed because Beeminder refused the token are due at once with another one."""
    apply()
    with ledger.write() as session:
        for row in session.exec(select(Feed)):
            row.state, row.reason, row.due_at = FeedState.FAILING, "reauthorize", NOW + 86400
            session.add(row)

    apply(FILE.replace("canary-token", "another-token"), now=NOW + 1)

    with ledger.read() as session:
        rows = session.exec(select(Feed)).all()
    assert {(row.state, row.due_at) for row in rows} == {("active", NOW + 1)}
