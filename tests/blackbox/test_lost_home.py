"""The machine is gone, and with it the ledger: what is at Beeminder stays as it was."""

import shutil

import pytest

from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]


def test_a_new_home_recognises_its_datapoints(home: House) -> None:
    """The same file applied to an empty home: same requestids, nothing doubled, nothing changed."""
    declared = str(home.declare("energy", "output"))
    home.run("apply", declared)
    home.up()
    assert home.autofetch("energy").status_code == home.autofetch("output").status_code == 200
    before = {slug: home.ours(slug) for slug in ("energy", "output")}
    assert home.stop() == 0
    shutil.rmtree(home.folder / "home")

    home.run("apply", declared)
    home.up()
    assert home.autofetch("energy").status_code == home.autofetch("output").status_code == 200

    state = home.sims.beeminder.state
    for slug, known in before.items():
        assert home.ours(slug) == known
        assert len(state.datapoints("alice", slug)) == len(known) == 1
    assert {point["state"] for point in home.json("datapoints", "alice/energy")} == {"landed"}
    total = home.grow(0.5)
    assert home.autofetch("energy").status_code == 200
    assert list(home.ours("energy").values()) == [pytest.approx(total)]
    assert set(home.ours("energy")) == set(before["energy"])
