"""Following at the command line: a look a second, a line per change, an end that is no error."""

import pytest

from worker.cli import runs_followed
from worker.cli.runs_followed import Look

NOW = 1_793_880_000.0
BLANK = {
    **dict.fromkeys(("progress", "rows", "steps_done", "steps_total", "step", "stream_error")),
    **dict.fromkeys(("error", "seen_at", "started_at", "finished_at")),
    "run": "r1",
    "source": "shop",
    "state": "running",
    "attempt": 1,
    "stream": "open",
    "reconnects": 0,
}
OVER = {"state": "completed", "finished_at": "2026-11-05T12:00:00Z", "stream": "none"}


class Desk:
    """Answers each look with the next state of the runs; time goes by as it is slept."""

    def __init__(self, *states, ends=None):
        self.states = list(states)
        self.shown = []
        self.slept = []
        self.ends = ends

    def look(self) -> Look:
        """The next state, and the last one from then on."""
        runs = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return Look(NOW + sum(self.slept), dict(enumerate(runs)))

    def sleep(self, seconds: float) -> None:
        """Go on at once; somebody presses Ctrl-C after `ends` of them."""
        self.slept.append(seconds)
        if self.ends is not None and len(self.slept) >= self.ends:
            raise KeyboardInterrupt

    def follow(self, show=None, *, until_idle=False) -> None:
        """Follow with this desk's time."""
        runs_followed.follow(
            self.look, show or self.shown.append, until_idle=until_idle, sleep=self.sleep
        )


def run(**more):
    """A run that runs unless it is said otherwise."""
    return BLANK | more


def test_it_is_looked_once_a_second_until_nothing_runs():
    """The end itself is shown too; what ended meanwhile keeps nobody waiting."""
    desk = Desk([run()], [run(), run(**OVER)], [run(**OVER)])
    desk.follow(until_idle=True)
    assert desk.slept == [1.0, 1.0]
    assert [len(look.runs) for look in desk.shown] == [1, 2, 1]


def test_a_state_that_a_stream_told_is_no_end():
    """Only a read ends a run: until then it is waited for."""
    desk = Desk([run(state="completed")], [run(**OVER)])
    desk.follow(until_idle=True)
    assert len(desk.shown) == 2


def test_ctrl_c_is_an_end():
    """Not before, though nothing runs; and no error."""
    desk = Desk([], ends=3)
    desk.follow()
    assert len(desk.shown) == 3


def test_a_line_for_each_change_and_none_without(capsys):
    """Progress, rows, stream and end; a look that finds the same says nothing."""
    first = run(progress=0.5, rows=10.0)
    Desk(
        [first],
        [first],
        [first | {"rows": 11.0, "seen_at": "2026-11-05T12:00:02Z"}, run(run="r2")],
        [run(**OVER, progress=1.0, rows=12.0, reconnects=1), run(run="r2", **OVER)],
    ).follow(runs_followed.lines(), until_idle=True)
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-05 12:00:00 shop r1 running, 50%, rows 10, stream open",
        "2026-11-05 12:00:02 shop r1 running, 50%, rows 11, stream open",
        "2026-11-05 12:00:02 shop r2 running, stream open",
        "2026-11-05 12:00:03 shop r1 completed, 100%, rows 12, 1 reconnect",
        "2026-11-05 12:00:03 shop r2 completed",
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"attempt": 2, "steps_done": 1, "step": "load"}, "attempt 2, 1 step, at load"),
        ({"error": "a\x1b[2Jb\nc", "stream": "given_up"}, "error: a [2Jb c"),
        ({"stream_error": "403", "stream": "given_up"}, "stream given up, it is read"),
        ({"progress": 0.999}, ", 99%,"),
        ({"progress": 7.0}, ", 100%,"),
    ],
    ids=["attempt", "hostile", "given up", "not yet", "too much"],
)
def test_what_a_line_says(capsys, given, told):
    """In one line whatever a source says, and never more done than is done."""
    Desk([run(**given)], ends=1).follow(runs_followed.lines())
    (line,) = capsys.readouterr().out.splitlines()
    assert told in line
    assert "\x1b" not in line


def test_where_nobody_sees_a_terminal_lines_are_shown(capsys):
    """Nothing draws over a pipe."""
    with runs_followed.shown() as show:
        Desk([run()], ends=1).follow(show)
    assert capsys.readouterr().out == "2026-11-05 12:00:00 shop r1 running, stream open\n"
