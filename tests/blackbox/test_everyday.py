"""What people do to a running Waggle, and what it does then."""

import time

import httpx
import pytest

from simulators.faults import Fault
from tests.blackbox.house import SECRET, House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]


def link(shared: House, slug: str, *, every: str = "1h") -> None:
    """Make a goal at Beeminder and a feed for it, while everything runs."""
    shared.sims.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
    shared.run("apply", str(shared.declare("energy", slug, text=f'every = "{every}"\n')))


def test_what_apply_made_is_served_at_once(shared: House) -> None:
    """A callback for a feed that is a moment old is answered with fresh data."""
    link(shared, "new")

    answer = shared.autofetch("new")

    assert (answer.status_code, answer.json()["status"]) == (200, "fresh"), answer.text
    assert len(shared.ours("new")) == 1


def test_schedules_follow_within_seconds(shared: House) -> None:
    """Nobody calls back: a feed that was never synced is due, and is synced within 5 s."""
    link(shared, "quiet")
    began = time.monotonic()

    shared.wait(lambda: shared.ours("quiet"))

    assert time.monotonic() - began < 10  # 5 s are promised on a machine that does nothing else
    assert shared.ours("quiet")


def test_a_paused_feed_is_unknown_until_it_is_resumed(shared: House) -> None:
    """404 while it is paused, and nothing is written; 200 after it was resumed."""
    link(shared, "rest")
    assert shared.autofetch("rest").status_code == 200
    before = shared.ours("rest")

    shared.run("pause", "alice/rest")
    shared.grow(0.25)
    assert shared.autofetch("rest").status_code == 404
    assert shared.ours("rest") == before

    shared.run("resume", "alice/rest")
    assert shared.autofetch("rest").status_code == 200
    assert sum(shared.ours("rest").values()) == pytest.approx(sum(before.values()) + 0.25)


def test_a_renamed_goal_is_followed(shared: House) -> None:
    """The callback comes with a name that nobody declared: the same goal, the same datapoint."""
    link(shared, "before")
    assert shared.autofetch("before").status_code == 200
    points = shared.ours("before")
    shared.sims.beeminder.state.rename_goal("alice", "before", "after")

    answer = shared.autofetch("after")

    assert answer.status_code == 200, answer.text
    assert shared.ours("after") == points
    feeds = [feed["feed"] for feed in shared.json("status")["feeds"]]
    assert "alice/after" in feeds
    assert "alice/before" not in feeds


def test_a_reminder_syncs_the_goal(shared: House) -> None:
    """The URL that `waggle hook` prints works as it stands: 202, and then the data is there."""
    link(shared, "late")
    shared.wait(lambda: shared.ours("late"))
    total = shared.grow(0.75)
    hook = shared.run("hook", "alice").stdout.split()[-1]

    result = shared.sims.beeminder.calls.remind("alice", "late", url=hook)

    assert result.status == 202
    shared.wait(lambda: list(shared.ours("late").values()) == [pytest.approx(total)])


def test_a_wrong_secret_is_any_unknown_path(shared: House) -> None:
    """Status, body and headers are those of a path that does not exist."""
    answers = [
        shared.http.post(path, data={"username": "alice", "slug": "energy"})
        for path in (
            "/beeminder/autofetch/wrong",
            f"/beeminder/autofetch/{SECRET}x",
            "/beeminder/deauthorized/wrong",
            "/beeminder/reminder/wrong",
            "/no/such/path",
        )
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({frozenset(answer.headers) for answer in answers}) == 1
    assert all(answer.headers["x-request-id"] for answer in answers)


@pytest.mark.parametrize(
    ("status", "content", "declared"),
    [
        (413, b"slug=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (415, b"<slug>energy</slug>", "application/xml"),
        (400, b"{not json", "application/json"),
        (400, b'["energy"]', "application/json"),
        (400, b"slug=energy", "application/x-www-form-urlencoded"),
        (400, b"username=alice&slug=", "application/x-www-form-urlencoded"),
        (400, b"username=\xff\xfe&slug=energy", "application/x-www-form-urlencoded"),
    ],
)
def test_bad_input_costs_nothing(shared: House, status: int, content: bytes, declared: str) -> None:
    """Refused with its reason; no event is made of it."""
    before = len(shared.json("events", "--limit", "1000"))

    answer = shared.http.post(
        f"/beeminder/autofetch/{SECRET}", content=content, headers={"Content-Type": declared}
    )

    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    assert len(shared.json("events", "--limit", "1000")) == before


def test_a_goal_that_nobody_linked_is_not_found(shared: House) -> None:
    """404 with an error that says so."""
    answer = shared.autofetch("never")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "no_such_feed"


def test_a_source_that_fails_once_is_tried_again(shared: House) -> None:
    """The answer to the callback is still fresh data, within the hold."""
    link(shared, "shaky")
    shared.autofetch("shaky")
    total = shared.grow(0.125)
    fault = shared.sims.faults.add(Fault(path="/bemserver/", status=500))

    answer = shared.autofetch("shaky")

    assert fault.hits == 1
    assert answer.status_code == 200, answer.text
    assert list(shared.ours("shaky").values()) == [pytest.approx(total)]


def test_a_second_waggle_on_the_port_says_so(shared: House) -> None:
    """One line on stderr, exit status 1, and the first one goes on."""
    done = shared.run("up", status=1)

    assert done.stdout == ""
    assert str(shared.port) in done.stderr
    assert "in use" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert shared.autofetch().status_code == 200


def test_an_idle_waggle_leaves_no_files(shared: House) -> None:
    """Nobody calls back for a while: the queue is empty, and no file is left of what it was."""
    bells = shared.folder / "home" / "queue"
    seen = []
    ends_at = time.monotonic() + 4
    while time.monotonic() < ends_at:
        seen.append(len([path for path in bells.rglob("*") if path.is_file()]))
        time.sleep(0.05)

    assert max(seen) <= 6
    shared.wait(lambda: not [path for path in bells.rglob("*") if path.is_file()])


def test_a_stranger_sees_no_feed(shared: House) -> None:
    """Pages of people who are not signed in show no goal, person or number."""
    with httpx.Client(base_url=shared.url, follow_redirects=True) as browser:
        pages = [
            # What a stranger typed comes back to them as where they want to be after signing in.
            browser.get(path).text.replace(f"?next={path}", "")
            for path in ("/", "/events", "/runs", "/feeds/alice/energy")
        ]

    assert not any("alice" in page or "energy" in page for page in pages)
