"""A plan is made of its seed alone, and breaks everything that there is at its place."""

import pytest

from tests.chaos import plan

KEPT = ("worker", "progress")


@pytest.mark.parametrize("place", plan.PLACES)
def test_a_seed_makes_the_same_plan_again(place: str) -> None:
    """To the tenth of a second; another seed makes another one."""
    assert plan.make(7, place, seconds=60) == plan.make(7, place, seconds=60)
    assert plan.make(7, place, seconds=60) != plan.make(8, place, seconds=60)


@pytest.mark.parametrize("place", plan.PLACES)
@pytest.mark.parametrize("seed", range(20))
def test_each_seed_breaks_everything(seed: int, place: str) -> None:
    """All kinds of faults of a place, in their time, and none after the end."""
    faults = plan.make(seed, place, seconds=45)

    assert {(fault.what, fault.whom) for fault in faults} == {
        (kind.what, kind.whom) for kind in plan.kinds(place)
    }
    assert all(fault.at < 45 for fault in faults)
    frozen = [fault for fault in faults if fault.what == "freeze" and fault.whom in KEPT]
    assert all(fault.lasts > 10 for fault in frozen), "or no lease ends"
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)


def test_a_place_is_broken_in_its_own_ways() -> None:
    """What there is no server of is not restarted, and only the embedded home has a disk here."""
    embedded = {
        fault.whom for seed in range(20) for fault in plan.make(seed, plan.EMBEDDED, seconds=60)
    }
    servers = {
        fault.whom for seed in range(20) for fault in plan.make(seed, plan.PLACES[1], seconds=60)
    }

    assert not embedded & {"database", "broker"}
    assert "disk" in embedded
    assert servers >= {"database", "broker", "worker", "progress", "web", "beat"}
    assert servers >= {"vendors", "clock"}
