"""Paces: never refused where the limit is known, learned where it is not, and never a crawl."""

import math
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulators.windows import Kind, Window
from tasks import limits
from tasks.limits import Learned, Limit, Pace, Quota
from tests.tasks.windowed import BEGAN, Client

KINDS = ("fixed", "sliding", "gcra")
COUNTS = st.integers(limits.LEARN_FROM, 600)
SECONDS = st.integers(1, 60)
GAPS = st.sampled_from([0.0, 0.001, 0.02, 0.3, 1.0, 1.9, 2.5, 11.0, 61.0, 700.0])


def served_at_a_pace(window: Window, pace: Pace, count: int, uneven: float) -> bool:
    """Is everybody served who leaves at this pace and arrives up to `uneven` seconds later?"""
    meter, rng = window.meter(), random.Random(1)  # noqa: S311 -- delays that repeat
    free_at, arrivals = BEGAN, []
    for _ in range(count):
        left_at = max(BEGAN, free_at - pace.tolerance)
        free_at = max(free_at, left_at) + pace.interval
        arrivals.append(left_at + rng.uniform(0.0, uneven))
    return all(meter.ask(at).served for at in sorted(arrivals))


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    requests=st.integers(2, 1000),
    seconds=st.sampled_from([0.5, 1.0, 10.0, 60.0]),
)
def test_a_known_limit_is_never_refused(kind: Kind, requests: int, seconds: float) -> None:
    """The kind of window is not known, and requests that leave evenly do not arrive so."""
    pace = Limit(requests=requests, seconds=seconds).pace()
    window = Window(kind=kind, requests=requests, seconds=seconds)

    assert served_at_a_pace(window, pace, 3 * requests, limits.UNEVEN_SECONDS)
    assert requests * pace.interval <= 1.2 * seconds + limits.UNEVEN_SECONDS or requests < 20


@settings(max_examples=50, deadline=None)
@given(requests=st.integers(5, 500), seconds=st.integers(1, 10), share=st.floats(0.2, 1.0))
def test_a_known_bucket_is_emptied_and_never_refused(
    requests: int, seconds: int, share: float
) -> None:
    """What a vendor is known to serve at once is used, less what uneven arrivals could cost."""
    bucket = max(1, int(share * requests))
    pace = Limit(requests=requests, seconds=seconds, bucket=bucket).pace()
    window = Window(kind="gcra", requests=requests, seconds=seconds, burst=bucket)
    uneven = limits.UNEVEN_SECONDS if pace.burst > 1 else 0.0

    assert served_at_a_pace(window, pace, 3 * requests, uneven)
    assert pace.interval <= 1.01 * seconds / requests
    assert pace.burst >= bucket - 2 - math.ceil(requests / seconds * limits.UNEVEN_SECONDS)


def test_what_is_left_to_others_is_not_used() -> None:
    """BM Parts serves 10,000 an hour; 500 of them are for the firm's own people."""
    window = Window(kind="fixed", requests=9500, seconds=3600.0)
    pace = Limit(requests=10_000, seconds=3600.0, reserve=500).pace()

    assert served_at_a_pace(window, pace, 10_000, 0.05)
    served = pace.burst + 3600.0 / pace.interval
    assert 9400 <= served <= 9501


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(("fixed", "sliding")),
    requests=COUNTS,
    seconds=SECONDS,
    faster=st.floats(1.1, 40),
)
def test_one_refusal_teaches_the_pace_of_a_window(
    kind: Kind, requests: int, seconds: int, faster: float
) -> None:
    """Within 5 % of the limit, and never refused again, if the window is of whole seconds."""
    client = Client(Window(kind=kind, requests=requests, seconds=seconds))
    assert client.until_refused(seconds / requests / faster)
    assume(not client.hidden)
    assume(client.told <= limits.LONGER * max(client.at - BEGAN, limits.SHORTEST_SEEN))

    learned = client.learn()

    assert learned is not None
    assert 1.0 <= learned.interval / client.window.interval <= 1.05
    client.reopen()
    assert not client.until_refused(learned.interval, at_most=10 * requests)


@settings(max_examples=100, deadline=None)
@given(rate=st.integers(5, 200), bucket=st.integers(5, 400), faster=st.floats(1.2, 40))
def test_a_few_refusals_teach_the_pace_of_a_bucket(rate: int, bucket: int, faster: float) -> None:
    """A bucket that was full hides how quickly it fills; each refusal comes nearer to it."""
    client = Client(Window(kind="gcra", requests=rate, seconds=1.0, burst=bucket))
    interval, kept = 1.0 / rate / faster, Learned(0.0, 0.0)
    while client.until_refused(interval, at_most=60 * rate):
        taught, seen = client.learn(interval), client.at - client.trail[0][0]
        if taught is not None:
            kept = limits.nudged(taught, kept=kept.interval, window=kept.window, seen=seen)
            interval = max(interval, kept.interval)
        client.reopen()

    assert client.refusals <= 15
    obeying = min(rate, bucket)  # so much is served in the second that a refusal names
    assert obeying * interval <= 1.25


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(("fixed", "sliding")),
    requests=st.integers(limits.LEARN_FROM, 60),
    seconds=SECONDS,
    gaps=st.lists(st.tuples(GAPS, st.integers(1, 80)), min_size=1, max_size=40),
)
def test_no_calm_makes_a_pace_a_crawl(
    kind: Kind, requests: int, seconds: int, gaps: list[tuple[float, int]]
) -> None:
    """After any traffic what is learned is no slower than two seconds more of window would be."""
    client = Client(Window(kind=kind, requests=requests, seconds=seconds))
    refused = False
    for gap, count in gaps:
        client.at += gap
        refused = refused or client.until_refused(min(gap, 0.05), at_most=count)
        if refused:
            break
    assume(refused)

    learned = client.learn()

    slowest = limits.HEADROOM * (seconds + 2) / requests
    assert learned is None or learned.interval <= slowest / limits.NEARLY_BEST


def test_a_quiet_account_that_bursts_once_is_not_slowed_to_a_crawl() -> None:
    """Two hours of a request every two seconds say nothing about 40 a second."""
    client = Client(Window(kind="fixed", requests=40, seconds=1.0))
    assert not client.until_refused(1.9, at_most=4000)
    assert client.until_refused(0.01)

    learned = client.learn()

    assert learned is not None
    assert learned.interval <= 1.05 / 40


def test_a_burst_before_a_pause_counts() -> None:
    """Most of the window was used up before we paused: the rest does not tell the limit."""
    client = Client(Window(kind="fixed", requests=500, seconds=10.0))
    assert not client.until_refused(0.002, at_most=450)
    client.at += 3
    assert client.until_refused(0.01)

    learned = client.learn()

    assert learned is not None
    assert 1.0 <= learned.interval * 50 <= 1.05


@pytest.mark.parametrize(("requests", "seconds"), [(1000, 86400), (3000, 3600), (200, 300)])
def test_a_limit_by_the_hour_teaches_no_pace(requests: int, seconds: int) -> None:
    """Who serves a thousand at once once a day is not asked every minute and a half."""
    client = Client(Window(kind="fixed", requests=requests, seconds=seconds))
    assert client.until_refused(seconds / requests / 3)
    assert client.learn(0.001) is None


def test_a_wait_out_of_all_proportion_teaches_nothing() -> None:
    """Ten requests and a pause of a minute: that is no pace of one in six seconds."""
    trail = [(BEGAN, 0)]
    assert limits.learn(trail, passed=10, left_at=BEGAN + 1, wait=60, before=0.1) is None
    assert limits.learn(trail, passed=2, left_at=BEGAN + 1, wait=60, before=0.1) is None


def test_a_refusal_almost_at_once_doubles_the_interval() -> None:
    """A few requests after an opening tell no rate, only that the last one was too quick."""
    trail = [(BEGAN, 0)]
    learned = limits.learn(trail, passed=3, left_at=BEGAN + 0.2, wait=1, before=0.05)
    assert learned == Learned(0.1, 1.0)
    assert limits.learn(trail, passed=3, left_at=BEGAN + 0.2, wait=1, before=0.0) is None
    assert limits.learn([], passed=3, left_at=BEGAN + 0.2, wait=1, before=0.05) is None


def test_a_steady_pace_is_told_from_its_last_minutes() -> None:
    """An hour at a little more than is served, with a bucket that was full: the true rate."""
    client = Client(Window(kind="gcra", requests=50, seconds=1.0, burst=1500))
    assert client.until_refused(1 / 50.95)

    learned = client.learn(1 / 50.95)

    assert learned is not None
    assert learned.window <= limits.LONGEST
    assert 1.0 <= learned.interval * 50 <= 1.05


def test_requests_that_came_a_little_late_make_no_crawl() -> None:
    """Four of a window come with those of the next one, which is one too many: a fifth slower."""
    client = Client(Window(kind="fixed", requests=50, seconds=1.0))
    kept = limits.HEADROOM / 50
    assert not client.until_refused(kept, at_most=46)
    client.at = BEGAN + 1.06
    assert not client.until_refused(0.0, at_most=4)
    assert client.until_refused(kept)
    taught = client.learn(kept)
    assert taught is not None
    assert taught.interval > 1.2 * kept  # a wait of 0.03 s was told as one of a second

    learned = limits.nudged(taught, kept=kept, window=1.0, seen=client.at - BEGAN)

    assert learned == Learned(limits.NUDGE * kept, 1.0)


def test_the_longer_a_pace_went_well_the_less_is_changed() -> None:
    """A bucket hides a window's worth at most, so what was too much in each of many is little."""
    after = [
        limits.nudged(Learned(9.0, 1.0), kept=0.1, window=1.0, seen=seen).interval
        for seen in (1.0, 2.5, 5.0, 50.0)
    ]
    assert after == pytest.approx([0.1 * limits.NUDGE, 0.1 * limits.NUDGE, 0.11, 0.101])


def test_a_pace_that_was_not_kept_for_long_is_not_believed() -> None:
    """Before a window has passed, or without a pace of before, the lesson counts in full."""
    taught = Learned(0.5, 3.0)
    assert limits.nudged(taught, kept=0.1, window=1.0, seen=0.9) == taught
    assert limits.nudged(taught, kept=0.0, window=1.0, seen=9.0) == taught
    assert limits.nudged(taught, kept=0.1, window=0.0, seen=9.0) == taught
    assert limits.nudged(Learned(0.101, 9.0), kept=0.1, window=1.0, seen=9.0).interval == 0.101


@given(
    interval=st.floats(0.001, 100),
    window=st.floats(1, 120),
    ages=st.lists(st.floats(0, 1e6), min_size=2),
)
def test_a_pace_is_loosened_and_forgotten_in_the_end(
    interval: float, window: float, ages: list[float]
) -> None:
    """Kept at first, then quicker and quicker, never slower again."""
    learned = Learned(interval, window)
    kept = [limits.loosened(learned, age) for age in sorted(ages)]

    assert kept == sorted(kept, reverse=True)
    assert limits.loosened(learned, -5) == interval
    ten = min(limits.LONGEST_KEPT, max(limits.SHORTEST_KEPT, 10 * window))
    assert limits.loosened(learned, ten) == interval
    assert limits.loosened(learned, 2 * ten) == pytest.approx(interval / 1.05)
    assert limits.loosened(learned, 12 * ten) == 0.0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("projects/17/connectors", "GET projects/*/connectors"),
        ("v1/runs/0a1b2c3d-0001-4000-8000-0123456789ab", "GET v1/runs/*"),
        ("api/v2/users/me.json", "GET api/v2/users/me.json"),
        ("users/me/goals/read-more/", "GET users/me/goals/read-more"),
        ("things/deadbeefcafe", "GET things/*"),
    ],
)
def test_the_kind_of_a_path_has_no_ids(path: str, kind: str) -> None:
    """What is counted by endpoint is counted once for all things that it is about."""
    assert limits.endpoint("GET", path) == kind


ROUTES = ("things", "things/*", "things/*/parts", "{}/*/*/log", "things/all/parts")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("things/orders/parts", "GET things/*/parts"),
        ("things/things/parts/", "GET things/*/parts"),
        ("things/parts", "GET things/*"),
        ("things/a%20b.c~d", "GET things/*"),
        ("things", "GET things"),
        ("{}/ab/cd/log", "GET {}/*/*/log"),
        ("things/all/parts", "GET things/*/parts"),  # the first that fits
        ("things/orders/others", "GET things/orders/others"),
        ("things/17/others", "GET things/*/others"),
        ("others/things", "GET others/things"),
        ("", "GET "),
    ],
)
def test_the_kind_of_a_path_that_is_known_goes_by_its_place(path: str, kind: str) -> None:
    """An id that is a plain word, or the name of a list, makes no kind of its own."""
    assert limits.endpoint("GET", path, ROUTES) == kind


def test_methods_are_kinds_of_their_own() -> None:
    """A way to read and a way to write are counted apart, also on a path that is known."""
    assert limits.endpoint("POST", "things/orders", ROUTES) == "POST things/*"


def test_the_key_shows_nothing_of_the_account() -> None:
    """A quota is counted by account; its key says only whether two are the same."""
    quota = Quota(account="someone@example.org", title="plant")
    assert quota.key("v") == Quota(account="someone@example.org").key("v")
    assert len({quota.key("v"), quota.key("w"), quota.key("v", "GET x"), quota.key("v", "")}) == 3
    assert "someone" not in quota.key("v", "GET x")
    assert Quota(account="7", plain=True).key("beeminder") == "beeminder:7"
