"""Promises of `waggle probe`: nothing is written without the goal's name, and nobody is named."""

import json

import pytest

SLUG = "throw-away"


@pytest.fixture
def probe(here, world):
    """A goal to throw away."""
    world.beeminder.state.add_goal("alice", SLUG, facts={"pledge": 0})
    return here


def test_it_says_what_it_would_ask(probe, world):
    """Every step, and what is not asked; nothing is asked of anybody."""
    told = probe("probe", "beeminder", "--list").stdout
    assert "resends" in told
    assert "not asked: rate_limit" in told
    assert world.beeminder.faults.count("", "GET") == 0


def test_a_profile_is_written_that_names_nobody(probe, world, folder):
    """Answers with their evidence, and what the simulator takes."""
    told = probe(
        "probe", "beeminder", f"alice/{SLUG}", "p.json", "--yes", "--confirm", SLUG,
        "--only", "resends", "--only", "dead_token",
    )  # fmt: skip
    assert "waggle simulate --profile p.json" in told.stdout
    text = (folder / "p.json").read_text()
    found = json.loads(text)
    assert found["unknowns"] == {"resends": "refused"}
    assert found["answers"]["dead_token_status"]["value"] == 401
    assert not [name for name in ("alice", SLUG, "canary") if name in text]
    assert world.beeminder.state.datapoints("alice", SLUG) == []


@pytest.mark.parametrize("confirm", [[], ["--confirm", "energy"]])
def test_without_the_goals_name_nothing_is_written(probe, world, folder, confirm):
    """Also where nobody is there to type it."""
    probe.refusal("probe", "beeminder", f"alice/{SLUG}", "--yes", *confirm)
    assert world.beeminder.state.datapoints("alice", SLUG) == []
    assert not (folder / "beeminder-profile.json").exists()


def test_a_goal_that_waggle_feeds_is_refused(probe):
    """It is somebody's."""
    said = probe.refusal("probe", "beeminder", "alice/energy", "--yes", "--confirm", "energy")
    assert "make a new one" in said


def test_a_misspelt_step_is_told(probe):
    """With the nearest one."""
    said = probe.refusal("probe", "beeminder", f"alice/{SLUG}", "--only", "resend")
    assert "did you mean 'resends'" in said


def test_the_simulator_refuses_what_is_no_profile(waggle, folder):
    """Before anything is started."""
    (folder / "p.json").write_text("{}")
    assert "no `unknowns`" in waggle.refusal("simulate", "--profile", "p.json")
