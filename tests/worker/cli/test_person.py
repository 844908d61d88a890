"""Promises of `waggle person`: everything is handed out but secrets, and everything goes."""

import json
import stat

from simulators.faults import Fault
from tests.worker.cli.goals import answering, there, with_app


def test_an_export_has_all_but_secrets(applied, folder, ledger):
    """Feeds and sources with their settings; no token, no password, no cipher of one."""
    told = applied("person", "export", "alice", "alice.json").stdout
    assert "left out" in told
    path = folder / "alice.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = json.loads(path.read_text())
    assert [row["label"] for row in found["feed"]] == ["", "roof"]
    assert found["source"][0]["settings"]["email"] == "alice@example.org"
    assert "canary" not in path.read_text()
    assert not any(name.endswith(("_cipher", "_hash")) for name in found["user"][0])
    assert "say another name" in applied.refusal("person", "export", "alice", "alice.json")
    assert json.loads(applied("person", "export", "alice").stdout)["person"] == "alice"


def test_a_person_is_deleted_after_a_yes(applied, monkeypatch):
    """It says what will go; after a no, and where nobody can answer, all of it is there."""
    assert "--yes" in applied.refusal("person", "delete", "alice", status=1)
    asked = answering(monkeypatch, False, True)  # noqa: FBT003 -- answers
    assert "nothing was changed" in applied("person", "delete", "alice").stdout
    assert "1 sources, 2 feeds" in asked[0]
    assert len(applied.json("status")["users"]) == 1
    told = applied("person", "delete", "alice").stdout
    assert "alice is deleted" in told
    assert "Backups" in told
    assert applied.json("status")["users"] == []
    assert "no user" in applied.refusal("person", "delete", "alice", "--yes")


def test_what_could_not_be_given_back_is_told(here, world):
    """Beeminder is away: the rest is done all the same; exit status 1."""
    app = with_app(here, world)
    there(world).autodata = "api"
    app("link", "alice/energy")
    world.beeminder.faults.add(Fault(path="goals/energy", status=500, times=None))
    done = app("person", "delete", "alice", "--yes", "--json", status=1)
    found = json.loads(done.stdout)
    assert found["rows"]["user"] == 1
    assert [one["goal"] for one in found["data_sources_not_given_back"]] == ["energy"]
    assert "its settings at Beeminder can" in done.stderr
