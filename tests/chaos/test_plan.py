"""A plan is made of its seed alone, and breaks everything that there is at its place."""

import pytest

from tests.chaos import plan


@pytest.mark.parametrize("place", plan.PLACES)
def test_a_seed_makes_the_same_plan_again(place: str) -> None:
    """To the tenth of a second; another seed makes another one."""
    assert plan.make(7, place, seconds=60) == plan.make(7, place, seconds=60)
    assert plan.make(7, place, seconds=60) != plan.make(8, place, seconds=60)


@pytest.mark.parametrize("place", plan.PLACES)
def test_a_minute_breaks_everything_once(place: str) -> None:
    """All kinds of faults of a place, in their time, and none after the end."""
    kinds = (
        *plan.EVERYWHERE,
        *(plan.EMBEDDED_ONLY if place == plan.EMBEDDED else plan.SERVERS_ONLY),
    )
    faults = plan.make(1, place, seconds=3.2 * len(kinds) * 1.6)

    assert {(fault.what, fault.whom) for fault in faults} == {
        (kind.what, kind.whom) for kind in kinds
    }
    assert all(fault.at < 3.2 * len(kinds) * 1.6 for fault in faults)
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
    assert servers >= {"database", "broker", "worker", "web", "beat", "vendors", "clock"}
