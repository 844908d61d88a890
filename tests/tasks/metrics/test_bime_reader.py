"""Reading a (simulated) Bime: what was counted stays counted, and unchanged lists cost a 304."""

import threading

import pytest

from clients import errors
from clients.bime_models import RESOURCES
from clients.gate import ClosedError
from db.notebook import Validated
from simulators.faults import Fault
from tests.tasks.metrics.bime_account import DAY, NOON, TOKEN, Account, window

HOUR = 3600.0
ALL = ("dashboards_created", "dashboards_updated", "dashboards_published", *RESOURCES)


@pytest.fixture
def account():
    with Account() as made:
        yield made


def test_a_day_starts_with_its_first_instant_and_ends_before_the_next(account):
    """A record on the boundary counts for one of the days, and for one only."""
    day = window(-1)
    for at in (day.starts_at - 1, day.starts_at, day.ends_at - 1, day.ends_at):
        account.state.add("dashboards", at=at)
    assert [account.value("dashboards_created", day) for day in (-2, -1, 0, -3)] == [1, 2, 1, 0]


def test_what_has_not_happened_is_not_counted(account):
    """A creation later than now waits for its time; one of this very instant is there."""
    account.state.add("dashboards", at=NOON)
    account.state.add("dashboards", at=NOON + HOUR)
    assert account.value("dashboards_created") == 1
    assert account.value("dashboards_created", 1) is None
    account.clock.now += HOUR
    assert account.value("dashboards_created") == 2


def test_deletion_at_the_source_does_not_change_the_past(account):
    """Whatever was seen once stays counted, also when the whole list is empty."""
    number = account.state.add("named_users", at=NOON - HOUR)
    account.state.add("named_users", at=NOON - DAY)
    assert (account.value("named_users"), account.value("named_users", -1)) == (1, 1)
    account.state.remove("named_users", number)
    assert (account.value("named_users"), account.value("named_users", -1)) == (1, 1)


def test_a_creation_counts_where_it_was_first(account):
    """A source that tells another instant of creation later moves nothing and doubles nothing."""
    number = account.state.add("dashboards", at=NOON - DAY)
    assert account.value("dashboards_created", -1) == 1
    account.state.change("dashboards", number, created_at="2023-11-15T05:00:00-05:00")
    assert (account.value("dashboards_created"), account.value("dashboards_created", -1)) == (0, 1)


def test_an_update_counts_on_its_day_after_a_later_one_hides_it(account):
    """Each change that was seen counts; two on one day are one dashboard."""
    number = account.state.add("dashboards", at=NOON - 5 * DAY)
    account.value("dashboards_updated")
    for minutes in (10, 20):
        account.state.change("dashboards", number, at=NOON - minutes * 60)
        assert account.value("dashboards_updated") == 1
    account.clock.now += DAY
    account.state.change("dashboards", number, at=account.clock.now)
    assert [account.value("dashboards_updated", day) for day in (1, 0, -5)] == [1, 1, 1]


def test_days_before_anybody_looked_have_no_zero_of_changes(account):
    """A later change hides an earlier one: nothing was measured, which is not nothing."""
    account.state.add("dashboards", at=NOON - 5 * DAY)
    (answer,) = account.ask("dashboards_updated", days=(-5, -1, 0))
    assert [reading.value for reading in answer.values()] == [1, None, 0]
    account.clock.now += 2 * DAY
    account.state.add("dashboards", at=NOON - 6 * DAY)
    (answer,) = account.ask("dashboards_updated", days=(-1, 0, 1, 2))
    assert [reading.value for reading in answer.values()] == [None, 0, 0, 0]


def test_published_is_a_level_of_now(account):
    """It may go down, and what it was is not known afterwards."""
    number = account.state.add("dashboards", is_published=True)
    account.state.add("dashboards", is_published=True)
    account.state.add("dashboards")
    (answer,) = account.ask("dashboards_published", days=(-1, 0))
    assert [reading.value for reading in answer.values()] == [None, 2]
    account.state.change("dashboards", number, is_published=False)
    assert account.value("dashboards_published") == 1
    assert account.value("dashboards_published") == 1  # of a 304


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("validators", ["etag", "last-modified", "both", "none"])
def test_every_flavour_gives_the_same_numbers(account, version, wrapped, validators):
    """Bare or wrapped, with any validators; ids that turn into text are the same records."""
    account.state.switch(wrapped=wrapped, validators=validators, weak=wrapped)
    for resource in RESOURCES:
        account.state.add(resource, at=NOON - HOUR)
    reader = account.connect(access_token=TOKEN, version=version)
    for ids in ("number", "text", "text"):
        account.state.switch(ids=ids)
        answers = account.ask(*ALL, reader=reader)
        assert [answer["day+0"].value for answer in answers] == [1, 1, 0] + [1] * 7


def test_each_list_is_asked_for_once(account):
    """However many feeds and metrics want it."""
    account.ask(*ALL, *ALL, days=(-2, -1, 0))
    assert sorted(account.statuses) == sorted((resource, 200) for resource in RESOURCES)


@pytest.mark.parametrize("validators", ["etag", "last-modified", "both"])
@pytest.mark.parametrize("weak", [False, True])
def test_an_unchanged_account_costs_304s_and_no_write(account, validators, weak):
    """The second look asks conditionally, writes nothing down, and gives the same numbers."""
    account.state.switch(validators=validators, weak=weak)
    account.state.add("dashboards", is_published=True, at=NOON - HOUR)
    first = account.ask(*ALL)
    written = len(account.notebook.written)
    account.bime.faults.log.clear()

    assert account.ask(*ALL) == first
    assert account.statuses == [(path, 304) for path, _ in account.statuses]
    assert len(account.statuses) == 7
    assert len(account.notebook.written) == written == 7


def test_without_validators_the_whole_list_is_asked_for_again(account):
    """Nothing is sent that could be answered by a 304."""
    account.state.switch(validators="none")
    assert (account.value("dashboards_created"), account.value("dashboards_created")) == (0, 0)
    assert account.statuses == [("dashboards", 200)] * 2


@pytest.mark.parametrize(
    "derived",
    [
        {},
        {"count": 1},
        {"format": 0, "count": 1, "facets": ["published"], "published": 0, "since": 0.0},
        {"format": 1, "count": 1, "facets": ["created"], "published": 0, "since": 0.0},
        {"format": 1, "count": 1, "facets": "created", "published": 0, "since": 0.0},
        {"format": 1, "count": 1, "facets": [7], "published": "1", "since": None},
    ],
)
def test_notes_of_another_shape_are_not_believed(account, derived):
    """What an older version wrote down can't stand for an answer: asked without a condition."""
    account.state.add("dashboards", is_published=True)
    account.ask("dashboards_published")
    noted = account.notebook.validated("dashboards")
    account.notebook.write("dashboards", Validated(noted.etag, noted.last_modified, derived))
    assert account.value("dashboards_published") == 1
    assert account.statuses == [("dashboards", 200)] * 2
    assert account.value("dashboards_published") == 1
    assert account.statuses[-1] == ("dashboards", 304)


@pytest.mark.parametrize(
    ("field", "fails", "goes_on"),
    [
        ("created_at", "dashboards_created", "dashboards_published"),
        ("updated_at", "dashboards_updated", "dashboards_created"),
        ("is_published", "dashboards_published", "dashboards_updated"),
    ],
)
def test_a_field_that_is_missing_is_named(account, field, fails, goes_on):
    """Only who needs it fails, each time, and nothing of it is counted as zero."""
    account.state.add("dashboards")
    number = account.state.add("dashboards", is_published=True)
    account.state.records["acme"]["dashboards"][number][field] = None
    for _ in range(2):
        error, good = account.ask(fails, goes_on)
        assert isinstance(error, errors.UnexpectedResponse)
        assert f"field 1.{field} is missing" in str(error)
        assert good["day+0"].value in (1, 2)


@pytest.mark.parametrize("body", [{"result": None}, {"rows": []}, {"error": "no"}, 7])
def test_a_missing_list_is_an_error(account, body):
    """It is of the feeds that want this list; the others have their numbers."""
    account.state.add("connections")
    account.bime.faults.add(Fault(path="dashboards$", status=200, body=body, times=None))
    error, good = account.ask("dashboards_created", "connections")
    assert isinstance(error, errors.Permanent)
    assert good["day+0"].value == 1
    assert account.notebook.validated("dashboards") is None


def test_a_host_that_does_not_answer_is_asked_once(account):
    """Every further list would cost another deadline; what was read before is given."""
    account.bime.faults.add(Fault(path="connections$", action="status", status=408, times=None))
    good, silent, after = account.ask("dashboards_created", "connections", "named_users")
    assert good["day+0"].value == 0
    assert isinstance(silent, errors.Unavailable)
    assert after is silent
    assert [path for path, _ in account.statuses] == ["dashboards", "connections"]


@pytest.mark.parametrize("status", [403, 404, 410, 500, 503])
def test_one_list_that_fails_fails_alone(account, status):
    """A list that this login may not see, or that breaks, is nobody else's trouble."""
    account.bime.faults.add(Fault(path="connections$", status=status, times=None))
    bad, good = account.ask("connections", "named_users")
    assert isinstance(bad, errors.ClientError)
    assert good["day+0"].value == 0


def test_a_refused_login_is_of_the_whole_source(account):
    """One 401, and no second list in vain."""
    account.state.tokens.clear()
    with pytest.raises(errors.AuthFailed):
        account.ask(*ALL)
    assert account.statuses == [("dashboards", 401)]


def test_a_closed_gate_leaves_nobody_out(account):
    """Who is not let through is told so by feed, and the next list tries for itself."""

    class Closed:
        secrets = ()

        def enter(self, _method, path, *, within):
            return ClosedError(path)

    account.gate = Closed()
    answers = account.ask(*ALL, reader=account.connect(access_token=TOKEN))
    assert [str(answer) for answer in answers] == ["dashboards"] * 3 + list(RESOURCES)


def test_threads_share_a_connection(account):
    """Eight at once, of a list that grows: each record counts once."""
    for _ in range(20):
        account.state.add("dashboards", at=NOON - HOUR)
    threads = [threading.Thread(target=account.ask, args=ALL) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert account.value("dashboards_created") == 20


def test_no_body_is_written_down(account):
    """Neither names nor anybody's token: ids, instants, validators and a few numbers."""
    account.state.add("dashboards", name="canary-name")
    account.state.add("named_users", full_name="canary-person", access_token="canary-viewer")
    account.ask(*ALL)
    assert "canary" not in repr(account.notebook.written) + repr(vars(account.notebook))


def test_looking_around(account):
    """What a feed's owner wants to know; of named users id and name only."""
    add = account.state.add
    add("dashboards", name="Sales", is_published=True)
    add("named_users", full_name="Bob", access_token="canary-viewer")
    add("connections", name="Warehouse")
    found = account.reader.look()
    assert [(one.kind, one.id, one.name, one.detail) for one in found] == [
        ("dashboards", "1", "Sales", "published"),
        ("connections", "3", "Warehouse", "RDBMS"),
        ("named_users", "2", "Bob", ""),
    ]
    assert "canary" not in repr(found)
    assert account.notebook.written == []
    add("dashboard_subscriptions", dashboard_id=1, named_user_group_id="4")
    assert account.reader.look()[-1].detail == "dashboard 1 for group 4"
    account.bime.faults.add(Fault(path="named_users$", status=403))
    with pytest.raises(errors.Forbidden):
        account.reader.look()
