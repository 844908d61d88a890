"""People of a file and their names at Beeminder, which change: each is one person for good."""

import pytest
from sqlmodel import select

from db import people
from db.engine import Ledger
from db.models import Feed, Source, User
from db.vault import Vault
from tasks import declare, declare_file, providers
from tasks.declare import Applied
from tasks.declare_problems import DeclarationError
from tasks.declare_sources import HTTPS
from tests.tasks.test_declare import FILE, KEY, NOW

BOB = '\n[users.bob]\ntoken = "canary-of-bob"\n'


def apply(ledger: Ledger, text: str = FILE) -> Applied:
    """Make the ledger say what this file says."""
    declaration = declare_file.parse(
        text, file="waggle.toml", env={}, providers=providers.table(), addresses=HTTPS, now=NOW
    )
    return declare.apply(ledger, Vault([KEY]), declaration, now=NOW)


def actions(applied: Applied) -> set[str]:
    """What became of things."""
    return {change.action for change in applied.changes}


def rename(ledger: Ledger, username: str, new: str) -> None:
    """Follow a rename at Beeminder, as a look at `users/me` does."""
    with ledger.write() as session:
        row = people.user_named(session, username)
        people.rename_user(session, row.id if row else None, new)


def names(ledger: Ledger) -> list[tuple[str, str | None]]:
    """(name at Beeminder, name in the file) of everybody."""
    with ledger.read() as session:
        users = session.exec(select(User).order_by(User.id)).all()
    return [(user.username, user.declared_username) for user in users]


def test_a_new_person_is_remembered_by_the_name_in_the_file(ledger: Ledger) -> None:
    """Both names are the same at first."""
    apply(ledger)

    assert names(ledger) == [("alice", "alice")]


def test_a_renamed_person_is_found_by_the_old_name(ledger: Ledger) -> None:
    """The file stays as it is: nothing changes, nobody is made, the hook is theirs."""
    first = apply(ledger)
    rename(ledger, "alice", "alicia")

    again = apply(ledger)

    assert actions(again) == {"unchanged"}
    assert again.hooks == first.hooks
    assert again.unlisted == ()
    assert names(ledger) == [("alicia", "alice")]


def test_a_renamed_person_is_found_by_the_new_name(ledger: Ledger) -> None:
    """The file follows: the same person, sources and feeds; the old name is free again."""
    apply(ledger)
    rename(ledger, "alice", "alicia")

    applied = apply(ledger, FILE.replace("alice", "alicia"))

    # The login at the source was changed by the same edit of the file; nothing is made anew.
    assert "created" not in actions(applied)
    assert names(ledger) == [("alicia", "alicia")]
    with ledger.read() as session:
        assert len(session.exec(select(Source)).all()) == 1
        assert len(session.exec(select(Feed)).all()) == 2


@pytest.mark.parametrize("order", ["old first", "new first"])
def test_both_names_of_a_person_are_a_mistake(ledger: Ledger, order: str) -> None:
    """Two tables for one person: told, whichever stands first, and nothing is kept."""
    apply(ledger)
    rename(ledger, "alice", "alicia")
    other = '\n[users.alicia]\ntoken = "canary-other"\n'
    text = FILE + other if order == "old first" else other + FILE

    with pytest.raises(DeclarationError, match=r"users\.alicia: is the person .* 'alice'"):
        apply(ledger, text)

    assert names(ledger) == [("alicia", "alice")]


def test_one_token_for_two_people_is_a_mistake(ledger: Ledger) -> None:
    """A token belongs to one person: the second table has the wrong one."""
    with pytest.raises(DeclarationError, match=r"users\.bob\.token: is the token of users\.alice"):
        apply(ledger, FILE + BOB.replace("canary-of-bob", "canary-token"))

    assert names(ledger) == []


def test_two_people_who_swapped_names_keep_what_is_theirs(ledger: Ledger) -> None:
    """Declared names decide: tokens and feeds change hands with nobody."""
    apply(ledger, FILE + BOB)
    rename(ledger, "alice", "tmp")
    rename(ledger, "bob", "alice")
    rename(ledger, "tmp", "bob")

    assert actions(apply(ledger, FILE + BOB)) == {"unchanged"}
    assert names(ledger) == [("bob", "alice"), ("alice", "bob")]


def test_a_person_who_came_by_consent_is_declared_later(ledger: Ledger) -> None:
    """Connected in the browser, then named in a file: the same row, known by that name as well."""
    with ledger.write() as session:
        user = User(username="alice")
        people.set_token(user, Vault([KEY]), token="canary-token", kind="personal")
        session.add(user)

    apply(ledger)

    assert names(ledger) == [("alice", "alice")]


def test_a_name_that_somebody_new_took_is_still_the_one_declared(ledger: Ledger) -> None:
    """Alice is alicia now and a stranger is alice: the file's alice is who she was."""
    apply(ledger)
    rename(ledger, "alice", "alicia")
    with ledger.write() as session:
        session.add(User(username="alice"))

    assert actions(apply(ledger)) == {"unchanged"}
    assert names(ledger) == [("alicia", "alice"), ("alice", None)]
