"""From Bime to Beeminder, every metric: what it comes to, what it costs, and what stays."""

import json

import pytest

from db.metadata import METADATA
from db.models import Feed
from db.models_notebook import Sighted, Validator
from simulators.faults import Fault
from tests.tasks.bimed import LISTS, VIEWER, Bimed
from tests.tasks.scenes import TODAY, YESTERDAY
from tests.world import DAY, NOON

HOUR = 3600.0


@pytest.fixture
def house(world):
    with Bimed(world) as made:
        add = made.state.add
        add("dashboards", name="Old", is_published=True, at=NOON - 40 * DAY)
        add("dashboards", name="Yesterday's", is_published=True, at=NOON - DAY)
        made.first = add("dashboards", name="Today's", at=NOON - HOUR)
        add("named_users", access_token=VIEWER, at=NOON - HOUR)
        yield made


def test_every_metric_arrives(house):
    """Totals of the day and a level; lists are asked for once."""
    house.sync()
    values = house.values()
    assert {slug: days[TODAY] for slug, days in values.items()} == {
        "made": 1,
        "changed": 1,
        "published": 2,
        "people": 1,
    }
    assert values["made"].get(YESTERDAY, 1) == 1
    assert sorted(house.asked()) == [(name, 200) for name in LISTS]


def test_an_unchanged_account_costs_304s_and_no_write_to_beeminder(house):
    """Ten more syncs: each list is asked conditionally and once, and nothing is sent."""
    house.sync()
    before, sent = house.values(), len(house.writes())
    house.bime.faults.log.clear()
    notes = [row.model_dump() for row in house.rows(Validator)]

    for _ in range(10):
        house.world.clock.advance(1000)
        house.sync()

    asked = house.asked()
    assert asked
    assert {status for _, status in asked} == {304}
    assert len(asked) <= 10 * len(LISTS)
    conditions = [record.headers for record in house.bime.faults.requests]
    assert all("if-none-match" in headers for headers in conditions)
    assert (house.values(), len(house.writes())) == (before, sent)
    assert [row.model_dump() for row in house.rows(Validator)] == notes


def test_deletion_at_the_source_does_not_change_the_past(house):
    """Everything is deleted: what was counted stays, only the level falls."""
    house.sync()
    before = house.values()
    for resource in LISTS:
        for number in list(house.state.records["acme"][resource]):
            house.state.remove(resource, number)
    for _ in range(3):
        house.world.clock.advance(4 * HOUR)
        house.sync()
    after = house.values()
    assert {slug: days[TODAY] for slug, days in after.items()} == {
        "made": 1,
        "changed": 1,
        "published": 0,
        "people": 1,
    }
    for slug in ("made", "changed", "people"):
        assert before[slug].items() <= after[slug].items()
    house.state.add("dashboards", at=house.world.clock.at)
    house.world.clock.advance(1000)
    house.sync()
    assert [house.values()["made"][day] for day in (TODAY, "20261121")] == [1, 1]


def test_a_change_that_a_later_one_hides_stays_counted(house):
    """Changed today and tomorrow: a day each."""
    house.sync()
    house.world.clock.advance(DAY)
    house.state.change("dashboards", house.first, at=house.world.clock.at)
    house.sync()
    changed = house.values()["changed"]
    assert (changed[TODAY], changed["20261121"]) == (1, 1)


def test_an_outage_costs_no_value_and_makes_no_zero(house):
    """While Bime answers nonsense nothing is sent; then the day is whole."""
    house.sync()
    before = house.values()
    for body in ({"result": None, "error": "stale"}, {"rows": []}, "{"):
        house.bime.faults.add(Fault(path="/v2/", status=200, body=body, times=4))
        house.world.clock.advance(HOUR / 2)
        house.sync()
        assert house.values() == before
    house.bime.faults.clear()
    house.state.add("dashboards", at=house.world.clock.at)
    house.world.clock.advance(12 * HOUR)
    house.sync()
    assert house.values()["made"][TODAY] == 2


def test_another_worker_goes_on_with_the_same_notes(house):
    """What one process wrote down another one's 304 stands for."""
    house.sync()
    house.bime.faults.log.clear()
    house.world.clock.advance(1000)
    for slug in house.feeds:
        house.world.call_back(slug)
    house.world.work(house.world.runtime())
    assert {status for _, status in house.asked()} == {304}
    assert len(house.rows(Sighted)) == 3 + 3 + 1


def test_a_viewers_token_is_in_no_table(house):
    """Also when every error quotes the whole record."""
    house.bime.faults.add(
        Fault(
            path="/v2/",
            status=422,
            body={"error": f"<NamedUser access_token: {VIEWER}>", "record": {"t": VIEWER}},
            times=2,
        )
    )
    house.sync()
    assert {row.state for row in house.rows(Feed)} == {"failing"}
    house.bime.faults.clear()
    house.world.clock.advance(DAY)
    house.sync()
    assert {row.state for row in house.rows(Feed)} == {"active"}
    with house.world.ledger.read() as session:
        for table in METADATA.sorted_tables:
            for row in session.connection().execute(table.select()):
                assert VIEWER not in json.dumps(list(row), default=str)
