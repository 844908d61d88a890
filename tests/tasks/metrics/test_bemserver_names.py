"""What a BEMServer was asked once is known to all workers, and not for longer than it is true."""

import dataclasses
import re

import pytest

from clients.errors import NotFound
from db.models import Source
from db.models_notebook import Validator
from simulators.faults import Fault
from tasks import connecting, days
from tasks.metrics.bemserver import Params
from tasks.metrics.bemserver_names import ID_FOR_SECONDS, NAME_FOR_SECONDS
from tasks.providers import Answer, Request
from tasks.runtime import Runtime
from tests.db.counting import statements
from tests.tasks.scenes import all_rows, at_once
from tests.world import DAY, PASSWORD, World

LEARNED = r"timeseries/|timeseries_data_states/|campaigns/"
BY_NAME = {"timeseries": "Main meter", "campaign": "Home"}


def ask(
    world: World, rt: Runtime, *feeds: dict[str, object], source: Source | None = None
) -> list[Answer]:
    """What the source says of today to each of these feeds, in their order."""
    now, utc = world.clock.at, days.zone("UTC")
    today = days.parse(days.day_of(now, utc, 0))
    requests = [
        Request(
            key=key,
            metric="timeseries_aggregate",
            params=Params(**feed),
            days=tuple(days.windows(today, today, utc, 0)),
            now=now,
        )
        for key, feed in enumerate(feeds)
    ]
    (stored,) = all_rows(world, Source)
    answers = connecting.connect(rt, source or stored).read(requests)
    return [answers[request.key] for request in requests]


def value(answer: Answer) -> float | None:
    """The value of the one day."""
    assert not isinstance(answer, Exception), answer
    (reading,) = answer.values()
    return reading.value


def learned(world: World) -> int:
    """How many requests asked what something is."""
    return world.bemserver.faults.count(LEARNED)


def made_anew(world: World) -> int:
    """The main meter is deleted at the server, and there is another one of its name; its id."""
    state = world.bemserver.state
    new = state.add_series("Meter", campaign="Home")
    world.measure(new.id, {world.clock.at - 60: 42.0})
    del state.series[world.series]
    state.series[new.id] = dataclasses.replace(new, name="Main meter")
    return new.id


@pytest.mark.parametrize(
    ("feed", "requests"), [({"timeseries": 1}, 2), (BY_NAME, 3), ({**BY_NAME, "campaign": 1}, 2)]
)
def test_two_processes_ask_a_source_once(
    world: World, feed: dict[str, object], requests: int
) -> None:
    """A worker beside the first, and one that starts later, know what the first was told."""
    for rt in (world.runtime(), world.runtime(), world.runtime()):
        assert value(ask(world, rt, feed)[0]) == 2.5
    assert learned(world) == requests


def test_a_worker_that_knows_asks_no_ledger(world: World) -> None:
    """The usual callback costs no statement for what is remembered, and no request."""
    rt = world.runtime()
    world.work(rt)
    world.call_back()
    before = learned(world)

    with statements(world.ledger) as read, statements(world.ledger, written=True) as wrote:
        world.work(rt)

    assert read
    assert not [text for text in read + wrote if "validator" in text]
    assert learned(world) == before


def test_fifty_feeds_are_looked_up_with_one_question(world: World) -> None:
    """A new worker asks the ledger once for all feeds of a source, and writes nothing."""
    state = world.bemserver.state
    feeds = [{"timeseries": state.add_series(f"S{n}").id} for n in range(50)]
    ask(world, world.runtime(), *feeds)
    rt = world.runtime()
    before = learned(world)

    with statements(world.ledger) as read, statements(world.ledger, written=True) as wrote:
        ask(world, rt, *feeds)

    assert len([text for text in read if "validator" in text]) == 1
    assert not [text for text in wrote if "INTO validator" in text]
    assert learned(world) == before


def test_a_series_that_was_made_anew_is_read_at_once(world: World) -> None:
    """The server refuses the old id: what stood behind it is told by no worker, neighbours are."""
    roof = {"timeseries": "Roof", "campaign": "Home"}
    world.measure(world.other_series, {world.clock.at - 60: 1.0})
    first, second = world.runtime(), world.runtime()
    for rt in (first, second):
        ask(world, rt, BY_NAME, roof)
    made_anew(world)

    for rt in (first, second, world.runtime()):
        assert [value(one) for one in ask(world, rt, BY_NAME, roof)] == [42.0, 1.0]
    assert isinstance(ask(world, first, {"timeseries": world.series})[0], NotFound)


def test_what_is_gone_is_said_by_the_server(world: World) -> None:
    """A series that was known and is deleted: the error is of now, and again the next time."""
    rt = world.runtime()
    feeds = (BY_NAME, {"timeseries": world.series})
    ask(world, rt, *feeds)
    del world.bemserver.state.series[world.series]

    for worker in (rt, rt, world.runtime()):
        assert all(isinstance(one, NotFound) for one in ask(world, worker, *feeds))


def test_what_was_not_there_may_have_come(world: World) -> None:
    """A state, a campaign or a series that is new is found at once: a "no" is not remembered."""
    rt = world.runtime()
    feeds = (
        {"timeseries": world.series, "data_state": "Gold"},
        {"timeseries": "Pump", "campaign": "Site"},
        {"timeseries": "Pump", "campaign": "Home"},
    )
    assert value(ask(world, rt, BY_NAME)[0]) == 2.5
    assert all(isinstance(one, NotFound) for one in ask(world, rt, *feeds))
    state = world.bemserver.state
    state.data_states[3] = "Gold"
    state.add_series("Pump", campaign="Site")
    state.add_series("Pump", campaign="Home")

    assert [value(one) for one in ask(world, rt, *feeds)] == [None, None, None]


def test_the_lists_are_asked_for_once_by_one_read(world: World) -> None:
    """Twenty feeds that name what is not there cost one request for each list."""
    feeds = [{"timeseries": "Pump", "campaign": "No", "data_state": "Clean"}] * 10
    feeds += [{"timeseries": world.series, "data_state": "Gold"}] * 10
    assert all(isinstance(one, NotFound) for one in ask(world, world.runtime(), *feeds))
    assert learned(world) == 2


def test_a_state_of_another_number_is_found(world: World) -> None:
    """The server numbers its states anew: no value is taken for one of the old state."""
    rt = world.runtime()
    assert value(ask(world, rt, BY_NAME)[0]) == 2.5
    world.bemserver.state.data_states = {1: "Raw", 7: "Clean"}
    world.measure(world.series, {world.clock.at - 60: 30.0})

    assert value(ask(world, rt, BY_NAME)[0]) == 30.0


def test_a_name_that_was_given_away_is_followed_within_an_hour(world: World) -> None:
    """The old series goes on answering, so that no refusal tells."""
    first = world.runtime()
    ask(world, first, BY_NAME)
    state = world.bemserver.state
    state.series[world.series] = dataclasses.replace(state.series[world.series], name="Old meter")
    new = state.add_series("Main meter", campaign="Home")

    world.clock.advance(NAME_FOR_SECONDS + 1)
    world.measure(new.id, {world.clock.at - 60: 42.0})

    for rt in (first, world.runtime()):
        assert value(ask(world, rt, BY_NAME)[0]) == 42.0


def test_what_has_an_id_is_asked_for_again_after_a_day(world: World) -> None:
    """A unit that was changed at the server is told a day later."""
    feed = {"timeseries": world.series}
    ask(world, world.runtime(), feed)
    state = world.bemserver.state
    state.series[world.series] = dataclasses.replace(state.series[world.series], unit_symbol="Wh")

    world.clock.advance(ID_FOR_SECONDS + 1)

    (answer,) = ask(world, world.runtime(), feed)
    assert {reading.unit for reading in answer.values()} == {"Wh"}


@pytest.mark.parametrize("changed", ["url", "login", "password"])
def test_another_address_or_login_is_asked_itself(world: World, changed: str) -> None:
    """Nothing is believed of a source that was learned with other settings, whoever wrote it."""
    before = world.runtime()
    ask(world, before, BY_NAME)
    (old,) = all_rows(world, Source)
    asked = learned(world)
    world.bemserver.state.add_user("bob@example.org", PASSWORD)
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        if changed == "password":  # as it is stored: the text differs, the password need not
            source.credentials_cipher = world.vault.encrypt(f'{{"password": "{PASSWORD}"}}')
        elif changed == "login":
            source.settings = source.settings | {"email": "bob@example.org"}
        else:
            source.settings = source.settings | {"url": f"{world.bemserver_server.url}/"}
        session.add(source)
    # A worker that has not heard of it writes down what it is told.
    world.clock.advance(ID_FOR_SECONDS + 1)
    world.measure(world.series, {world.clock.at - 60: 1.0})
    ask(world, before, BY_NAME, source=old)
    assert learned(world) == asked + 3

    assert value(ask(world, world.runtime(), BY_NAME)[0]) == 1.0
    assert learned(world) == asked + 6


def test_neighbours_are_answered_when_the_second_question_fails(world: World) -> None:
    """A server that goes down while it is asked what is meant now takes no value away."""
    rt = world.runtime()
    roof = {"timeseries": world.other_series}
    world.measure(world.other_series, {world.clock.at - 60: 1.0})
    ask(world, rt, BY_NAME, roof)
    new = made_anew(world)
    world.bemserver.faults.add(Fault(path="timeseries_data_states/", status=503))

    gone, other = ask(world, rt, BY_NAME, roof)

    assert isinstance(gone, Exception)
    assert value(other) == 1.0
    assert value(ask(world, rt, BY_NAME)[0]) == 42.0
    assert new


def test_workers_that_learn_at_once_know_the_same(world: World) -> None:
    """Six who ask for the first time write the same rows, and nobody is in another's way."""
    state = world.bemserver.state
    feeds = [{"timeseries": state.add_series(f"S{n}").id} for n in range(20)]
    workers = [world.runtime() for _ in range(6)]

    at_once(6, lambda n: ask(world, workers[n], *(feeds if n % 2 else feeds[::-1])))

    before = learned(world)
    ask(world, world.runtime(), *feeds)
    assert learned(world) == before


def test_only_numbers_and_units_are_written_down(world: World) -> None:
    """Nothing that the server says in words, and nothing that people wrote."""
    world.bemserver.state.series[world.series] = dataclasses.replace(
        world.bemserver.state.series[world.series], description="canary of the server"
    )
    ask(world, world.runtime(), BY_NAME)
    rows = all_rows(world, Validator)
    assert len(rows) == 3
    assert all(re.fullmatch("[0-9a-f]{24} fact [0-9a-f]{24}", row.url) for row in rows)
    assert sorted(str(row.derived) for row in rows) == [
        "{'value': 1}",
        "{'value': 2}",
        "{'value': {'id': 1, 'unit': 'kWh'}}",
    ]


def test_what_another_version_wrote_is_asked_for(world: World) -> None:
    """A fact in a shape that is not ours is no fact, and is written anew."""
    ask(world, world.runtime(), BY_NAME)
    with world.ledger.write() as session:
        for row in all_rows(world, Validator):
            session.merge(Validator(**row.model_dump() | {"derived": {"value": ["odd"]}}))
    before = learned(world)

    for rt in (world.runtime(), world.runtime()):
        assert value(ask(world, rt, BY_NAME)[0]) == 2.5
    assert learned(world) == before + 3


def test_a_day_later_every_worker_goes_on(world: World) -> None:
    """What is too old is asked for by one of them, and known to the other."""
    first, second = world.runtime(), world.runtime()
    for rt in (first, second):
        ask(world, rt, {"timeseries": world.series})
    before = learned(world)
    world.clock.advance(DAY + 1)
    world.measure(world.series, {world.clock.at - 60: 1.0})

    for rt in (first, second):
        assert value(ask(world, rt, {"timeseries": world.series})[0]) == 1.0
    assert learned(world) == before + 2
