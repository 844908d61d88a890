"""Where the stream of a run is, and what is shown there."""

import pytest

from db.runs import Held
from tasks.live import source as live
from tasks.live.source import LiveSource
from tasks.metrics.rime_settings import Settings
from tests.tasks.live.conftest import Followed
from tests.tasks.rime_world import KEY
from tests.world import World

HELD = Held(1, 1, "run 7/../x", "p1", "c1", None, 1, "w")


def settings(url: str) -> Settings:
    """A source with this address of its streams."""
    return Settings(tenant="acme", project="p1", api_key=KEY, progress_url=url)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("wss://{tenant}.rimedata.io/x/{run}", "wss://acme.rimedata.io/x/run%207%2F..%2Fx"),
        ("wss://h/{project}/{connector}/{pipeline}?r={run}", "wss://h/p1/c1/?r=run%207%2F..%2Fx"),
        ("wss://h/all", "wss://h/all"),
        ("wss://h/{other}/{run.__class__}", "wss://h/{other}/{run.__class__}"),
    ],
    ids=["tenant", "all", "none", "nothing else"],
)
def test_what_a_run_is_called_is_put_in(template: str, expected: str) -> None:
    """As one part of a path each: no id leads anywhere else."""
    assert live.address(settings(template), HELD) == expected


def test_a_source_without_an_address_has_no_stream(world: World, rime: Followed) -> None:
    """Its runs are read."""
    source = LiveSource(world.runtime(), rime.row(rime.source()))
    assert source.door(HELD) is None
    assert source.poll_seconds == 10.0


def test_the_token_is_shown_as_the_file_says(world: World, rime: Followed) -> None:
    """And stands in no text."""
    row = rime.row(rime.socketed(progress_auth="first_message", progress_framing="socketio"))
    door = LiveSource(world.runtime(), row).door(HELD)
    assert door is not None
    assert (door.token, door.auth, door.framing) == (KEY, "first_message", "socketio")
    assert KEY not in repr(door)
    assert KEY not in door.url


def test_a_key_can_not_be_renewed_and_has_no_end(world: World, rime: Followed) -> None:
    """There is no other one."""
    source = LiveSource(world.runtime(), rime.row(rime.source()))
    assert source.renew(KEY) is False
    assert source.token_ends_at() is None
