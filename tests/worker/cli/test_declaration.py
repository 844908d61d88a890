"""Promises of `waggle apply`: it says what changed, once, and shows no secret."""

from sqlmodel import select

from db import people
from db.models import Feed, User
from db.states import FeedState


def test_apply_says_what_it_made_and_then_that_nothing_changed(waggle, file):
    """Created at first, unchanged afterwards, with the reminder URL each time."""
    first = waggle("apply", str(file)).stdout
    assert "created    user    alice\n" in first
    assert "created    feed    alice/energy:roof\n" in first
    assert "https://waggle.example.org/beeminder/reminder/" in first
    second = waggle("apply", str(file)).stdout
    assert "created" not in second
    assert second.count("unchanged") == 4
    assert "canary" not in first + second


def test_apply_as_json(waggle, file, ledger, vault):
    """One document with stable keys; the reminder URL is the one that the receiver knows."""
    found = waggle.json("apply", str(file))
    assert found["changes"][0] == {
        "kind": "user",
        "name": "alice",
        "action": "created",
        "details": [],
    }
    hook = found["reminders"]["alice"].rpartition("/")[2]
    with ledger.read() as session:
        assert people.user_with_hook(session, vault.fingerprints(hook)) is not None


def test_a_dry_run_changes_nothing_and_shows_no_dead_address(waggle, file, ledger):
    """What would be created is told; the hook of a person who is not stored is not."""
    done = waggle("apply", str(file), "--dry-run").stdout
    assert "created" in done
    assert "nothing was changed" in done
    assert "reminder" not in done
    assert waggle.json("apply", str(file), "--dry-run")["reminders"] == {}
    with ledger.read() as session:
        assert session.exec(select(User)).all() == []


def test_all_mistakes_are_told_and_nothing_is_changed(waggle, file, ledger):
    """Exit status 2, one line per mistake with file and key, stdout empty."""
    file.write_text(file.read_text().replace("bemserver", "bemsever") + "\n[extra]\n")
    done = waggle("apply", str(file), status=2)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"waggle: {file}: ") for line in lines)
    with ledger.read() as session:
        assert session.exec(select(User)).all() == []


def test_mistakes_that_only_the_ledger_knows_are_told_the_same_way(waggle, file):
    """A person without a token who never connected: file, key, what to do."""
    file.write_text(file.read_text().replace('token = { env = "ALICE_TOKEN" }', ""))
    line = waggle.refusal("apply", str(file))
    assert line.startswith(f"{file}: users.alice.token: is missing")


def test_a_variable_from_dotenv_is_found(waggle, file, folder):
    """`{ env = … }` looks into .env as well, which is where settings come from."""
    del waggle.env["ALICE_TOKEN"]
    assert "ALICE_TOKEN is not set" in waggle.refusal("apply", str(file))
    (folder / ".env").write_text("ALICE_TOKEN=canary\n")
    waggle("apply", str(file))


def test_a_file_that_cannot_be_read_is_one_line(waggle, folder):
    """No such file, a folder, not text: exit status 2."""
    assert "No such file" in waggle.refusal("apply", "nothing.toml")
    assert "directory" in waggle.refusal("apply", str(folder))
    (folder / "bad.toml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in waggle.refusal("apply", "bad.toml")


def test_prune_stops_what_is_not_in_the_file(applied, file, ledger):
    """Without it the feed is named and goes on; with it, it stops."""
    file.write_text(file.read_text().split('[feeds."alice/energy:roof"]', maxsplit=1)[0])
    assert "goes on: alice/energy:roof" in applied("apply", str(file)).stdout
    assert applied.json("apply", str(file))["unlisted"] == ["alice/energy:roof"]
    assert "removed    feed    alice/energy:roof" in applied("apply", str(file), "--prune").stdout
    with ledger.read() as session:
        assert session.exec(select(Feed).where(Feed.label == "roof")).one().state == (
            FeedState.STOPPED
        )
