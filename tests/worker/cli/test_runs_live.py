"""The live table: a bar for each run, drawn in its place, and nothing that steers the terminal."""

import io

from rich.console import Console

from tests.worker.cli.test_runs_followed import NOW, OVER, run
from worker.cli import runs_live


def drawn(*runs, width=160, live=False):
    """What a terminal of this width gets."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    if live:
        with runs_live.live(console) as draw:
            for some in runs:
                draw(some, NOW)
    else:
        console.print(runs_live.table(runs, NOW))
    return console.file.getvalue()


def test_each_run_has_a_bar_its_rows_and_how_long_ago_it_was_heard_of():
    """What runs and what is over; a percentage is never rounded up to an end."""
    text = drawn(
        run(progress=0.5, rows=1234.0, seen_at="2026-11-05T11:59:57Z", attempt=2),
        run(run="r2", steps_done=1, steps_total=3, stream="retrying", stream_error="403"),
        run(run="r3", **OVER, progress=1.0, rows=5.0),
    )
    lines = text.splitlines()
    assert len(lines) == 4
    assert "running, attempt 2" in lines[1]
    assert lines[1].count("━") == 10
    assert "50%" in lines[1]
    assert "1,234" in lines[1]
    assert "3 s ago" in lines[1]
    assert "1 of 3 steps" in lines[2]
    assert "stream: 403" in lines[2]
    assert "completed" in lines[3]


def test_without_runs_it_is_said():
    """An empty screen would look broken."""
    assert runs_live.NOTHING in drawn()


def test_progress_that_nobody_told_still_shows_that_it_runs():
    """A bar without an amount, and no figure."""
    text = drawn(run())
    assert "━" in text
    assert "%" not in text


def test_text_of_others_is_only_text():
    """Neither escape sequences nor markup of rich are obeyed."""
    text = drawn(run(run="\x1b[2J[red]r1", error="[bold]\x07no"))
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert "[red]r1" in text
    assert "[bold]" in text


def test_a_look_replaces_the_one_before():
    """The last one stands at the end, also in a narrow window."""
    text = drawn([run(progress=0.25)], [run(progress=0.75)], width=60, live=True)
    assert "75%" in text.rpartition("25%")[2]
