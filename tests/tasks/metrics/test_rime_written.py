"""A list of runs that was written down comes to the same counts."""

import json

import pytest

from clients.rime_models import Run
from tasks.metrics import rime_written


def test_what_is_written_is_read_as_it_was() -> None:
    """All that decides about a count, through JSON; not the id of a request."""
    runs = [
        Run(id="1", status="Completed", outcome="succeeded", rows=3.0, started=1.5, ended=2.5),
        Run(id="2", status="running", outcome="open", started=9.0, wrong={"ended": "is missing"}),
        Run(id="ü", status="Evaporated", outcome="unknown"),
    ]
    assert rime_written.read(json.loads(json.dumps(rime_written.written(runs)))) == runs


def test_a_status_is_understood_anew() -> None:
    """A version that knows more words counts what another one has written down."""
    known = Run(id="1", status="Completed", outcome="unknown")
    (found,) = rime_written.read(rime_written.written([known])) or []
    assert found.outcome == "succeeded"


def test_no_more_of_a_status_is_kept_than_is_told() -> None:
    """A server may send anything."""
    (found,) = rime_written.written([Run(id="1", status="x" * 9000, outcome="unknown")])
    assert len(json.dumps(found)) < 200


@pytest.mark.parametrize("odd", [None, {}, [["1", "Completed"]], [{"id": "1"}], "runs", [[1] * 6]])
def test_what_another_version_wrote_is_nothing(odd: object) -> None:
    """It is read whole again."""
    assert rime_written.read(odd) is None
