"""Promises of `waggle source check`: people find their ids, and nothing is changed."""

import pytest
from sqlmodel import select

from db.models import Feed, Source, User


def test_what_is_there_is_told_with_the_ids_of_the_file(here, world):
    """Campaigns, series with units, states: what a feed's params name."""
    shown = here.json("source", "check", "plant")

    assert (shown["source"], shown["user"], shown["provider"]) == ("plant", "alice", "bemserver")
    found = {(one["kind"], one["id"]): one for one in shown["found"]}
    series = next(iter(world.bemserver.state.series.values()))
    assert found["timeseries", str(series.id)]["name"] == series.name
    assert ("data state", "Clean") in found
    assert any(kind == "campaign" for kind, _ in found)


def test_people_read_a_table(here):
    """The login is said to work, and the columns say what is what."""
    text = here("source", "check", "plant").stdout

    assert "the login works" in text
    assert "timeseries" in text
    assert "Clean" in text


def test_nothing_is_changed_by_a_look(here, ledger, world):
    """No token is stored, no feed is touched, nothing is written at Beeminder."""

    def rows():
        with ledger.read() as session:
            return [
                [row.model_dump() for row in session.exec(select(table)).all()]
                for table in (Source, Feed)
            ]

    before = rows()
    here("source", "check", "plant")
    assert rows() == before
    assert world.values() == {}


def test_a_refused_login_says_what_to_do(here, world):
    """Exit status 1, one line, and the file is where it is mended."""
    world.bemserver.state.users.clear()
    said = here.refusal("source", "check", "plant", status=1)
    assert "source plant" in said
    assert "waggle apply" in said


@pytest.mark.parametrize("name", ["plnat", "alice/plnat", "bob/plant"])
def test_an_unknown_name_gets_the_nearest(here, name):
    """Exit status 2; of another person's the name alone is no help."""
    assert "plant" in here.refusal("source", "check", name)


def test_two_people_may_call_theirs_the_same(here, ledger):
    """Then the name alone is not enough, and the complaint says what is."""
    with ledger.write() as session:
        session.add(User(id=77, username="bob"))
        session.flush()
        session.add(Source(user_id=77, name="plant", provider="bemserver"))

    said = here.refusal("source", "check", "plant")
    assert "alice/plant" in said
    assert "bob/plant" in said
    assert here.json("source", "check", "alice/plant")["user"] == "alice"


def test_a_provider_that_is_gone_is_told(here, ledger):
    """The package was removed: a sentence, no traceback."""
    with ledger.write() as session:
        session.exec(select(Source)).one().provider = "gone"
    assert "no provider 'gone'" in here.refusal("source", "check", "plant", status=1)
