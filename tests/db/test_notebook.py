"""What sources showed: a record that was counted stays counted, whoever writes it down."""

import pytest

from db import notebook
from db.engine import Ledger
from db.models import Source
from db.notebook import Learned, Sighting, Validated
from tests.tasks.scenes import at_once

pytestmark = pytest.mark.usefixtures("linked")

KIND = "dashboards.created"
NOW = 1_800_000_000.0
DAY = 86400.0


def sight(ledger: Ledger, *seen: tuple[str, float], once: bool = True, kind: str = KIND) -> None:
    """Write records down in a transaction of its own."""
    with ledger.write() as session:
        notebook.sight(session, 1, kind, [Sighting(*one) for one in seen], once=once)


def count(ledger: Ledger, starts_at: float = NOW, ends_at: float = NOW + DAY) -> int:
    """How many counted in this time."""
    with ledger.read() as session:
        return notebook.count(session, 1, KIND, starts_at, ends_at)


def test_a_record_counts_once_at_the_instant_told_first(ledger: Ledger) -> None:
    """What the source says of it later moves it to no other day."""
    sight(ledger, ("7", NOW + 1), ("7", NOW + 1))
    sight(ledger, ("7", NOW + DAY + 1))

    assert (count(ledger), count(ledger, NOW + DAY, NOW + 2 * DAY)) == (1, 0)


def test_each_instant_counts_on_its_day_and_a_record_once_a_day(ledger: Ledger) -> None:
    """A later change hides the earlier one at the source, not here."""
    sight(ledger, ("7", NOW + 1), once=False)
    sight(ledger, ("7", NOW + 2), ("7", NOW + DAY), ("8", NOW + 2), once=False)

    assert (count(ledger), count(ledger, NOW + DAY, NOW + 2 * DAY)) == (2, 1)


def test_the_end_of_a_day_is_the_beginning_of_the_next(ledger: Ledger) -> None:
    """An instant on the boundary counts once, on the later day."""
    sight(ledger, ("7", NOW + DAY))

    assert (count(ledger), count(ledger, NOW + DAY, NOW + 2 * DAY)) == (0, 1)


def test_kinds_are_counted_apart(ledger: Ledger) -> None:
    """The same id in another list is another record."""
    sight(ledger, ("7", NOW))
    sight(ledger, ("7", NOW), ("8", NOW), kind="connections.created")

    assert count(ledger) == 1


def test_nothing_seen_is_nothing_written(ledger: Ledger) -> None:
    """An empty list is no error."""
    sight(ledger)

    assert count(ledger) == 0


def test_several_who_read_the_same_list_write_the_same_rows(ledger: Ledger) -> None:
    """Four at once, each with all of it in another order: no deadlock, no row twice."""
    seen = [(str(number), NOW + number) for number in range(300)]

    def write(number: int) -> None:
        order = seen if number % 2 else seen[::-1]
        sight(ledger, *order)

    at_once(4, write)

    assert count(ledger) == len(seen)


def test_the_newest_answer_of_a_url_is_what_is_known_of_it(ledger: Ledger) -> None:
    """Validators and what was derived are replaced together, and only for that URL."""
    first, second = Validated('"a"', None, {"count": 1}), Validated(None, "Sun", {"count": 2})
    with ledger.write() as session:
        notebook.validate(session, 1, "/dashboards", first, now=NOW)
        notebook.validate(session, 1, "/other", first, now=NOW)
        notebook.validate(session, 1, "/dashboards", second, now=NOW + 1)

    with ledger.read() as session:
        assert notebook.validated(session, 1, "/dashboards") == second
        assert notebook.validated(session, 1, "/other") == first
        assert notebook.validated(session, 1, "/none") is None


def test_a_fact_stands_under_its_name_until_it_is_struck_out(ledger: Ledger) -> None:
    """The newest is what is known; others stay, and so do validators and other sources' facts."""
    with ledger.write() as session:
        session.add(Source(id=2, user_id=1, name="other", provider="bemserver"))
    old, new = Learned({"id": 7}, NOW), Learned([1, None, "a"], NOW + 1)
    with ledger.write() as session:
        notebook.validate(session, 1, "url", Validated('"a"', None, {"count": 1}), now=NOW)
        notebook.learn(session, 1, {"meter": old, "roof": old})
        notebook.learn(session, 2, {"meter": old})
        notebook.learn(session, 1, {"meter": new})
        notebook.learn(session, 1, {})

    with ledger.read() as session:
        assert notebook.learned(session, 1, ["meter", "roof", "x"]) == {"meter": new, "roof": old}
        assert notebook.learned(session, 1, []) == {}

    with ledger.write() as session:
        notebook.forget(session, 1, ["roof", "meter", "x"])
        notebook.forget(session, 1, [])

    with ledger.read() as session:
        assert notebook.learned(session, 1, ["meter", "roof"]) == {}
        assert notebook.learned(session, 2, ["meter"]) == {"meter": old}
        assert notebook.validated(session, 1, "url") == Validated('"a"', None, {"count": 1})


def test_nothing_is_learned_of_a_source_that_is_gone(ledger: Ledger) -> None:
    """Its person left while it was read: no row, and no error that kills the worker."""
    with ledger.write() as session:
        notebook.learn(session, 4711, {"meter": Learned(7, NOW)})
    with ledger.read() as session:
        assert notebook.learned(session, 4711, ["meter"]) == {}


def test_several_who_learn_and_forget_the_same_are_in_nobodys_way(ledger: Ledger) -> None:
    """Four at once, each in another order: no deadlock, and one row a name."""
    names = [f"name {number}" for number in range(100)]

    def work(number: int) -> None:
        order = names if number % 2 else names[::-1]
        for _ in range(3):
            with ledger.write() as session:
                notebook.learn(session, 1, {name: Learned(number, NOW) for name in order})
            with ledger.write() as session:
                notebook.forget(session, 1, order[:50])

    at_once(4, work)

    with ledger.write() as session:
        notebook.learn(session, 1, {name: Learned(5, NOW) for name in names})
    with ledger.read() as session:
        assert set(notebook.learned(session, 1, names)) == set(names)
