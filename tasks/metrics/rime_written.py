"""A list of runs as it is written down: of each what counts, and nothing else of the answer."""

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clients import rime_models
from clients.rime import Run
from clients.rime_models import Name

MOST = 20_000  # runs; some 100 bytes each
SHOWN = 40  # no status that counts is longer, and no more of one is ever told

_RUNS = TypeAdapter(
    list[tuple[str, str, float | None, float | None, float | None, dict[Name, str]]]
)


def written(runs: Iterable[Run]) -> list[Any]:
    """The runs as plain JSON."""
    return [
        [run.id, run.status[:SHOWN], run.started, run.ended, run.rows, dict(run.wrong)]
        for run in runs
    ]


def read(value: object) -> list[Run] | None:
    """The runs of what was written, without ids of requests; None: of another version.

    Statuses are understood anew, since this version may know more words.
    """
    try:
        found = _RUNS.validate_python(value)
    except ValidationError:
        return None
    return [
        Run(
            id=run_id,
            status=status,
            outcome=rime_models.outcome(status),
            started=started,
            ended=ended,
            rows=rows,
            wrong=wrong,
        )
        for run_id, status, started, ended, rows, wrong in found
    ]
