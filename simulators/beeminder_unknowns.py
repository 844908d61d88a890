"""What nobody outside knows about the real Beeminder: settings, each with the likeliest default.

A test that passes under one answer only has found a guess in our code.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from simulators.beeminder_shapes import BatchShape


@dataclass(kw_only=True)
class Unknowns:
    """The settings; `BeeminderState` has them all, `POST /_sim/unknowns` changes them.

    `queue_seconds`: how long a goal stays queued after a write.
    `frozen_status`: how a write to a frozen goal is answered, None accepts it.
    `partial_status`, `batch_shape`: status and body of a create_all that failed in part.
    `batch_limit`: a create_all with more datapoints is answered 500 with a page, nothing is stored.
    `compares`: what makes a resend of a requestid identical.
    `resends`: a single identical one is refused, or answered with the point that stands.
    `reuses_requestids`: whether the requestid of a deleted point can be used again.
    `premium`: whether people have a plan with which `aggday` and `kyoom` can be changed.
    `refreshes`: whether refresh_graph queues anything.
    """

    queue_seconds: float = 1.0
    frozen_status: int | None = 422
    partial_status: int = 200
    batch_shape: BatchShape = field(default_factory=BatchShape)
    batch_limit: int | None = None
    compares: tuple[str, ...] = ("value", "comment", "timestamp")
    resends: Literal["refused", "shown"] = "refused"
    reuses_requestids: bool = True
    premium: bool = True
    refreshes: bool = True


def settings_of(profile: object) -> dict[str, Any]:
    """The settings in a profile that `waggle probe beeminder` wrote. Raises ValueError."""
    said = profile.get("unknowns") if isinstance(profile, dict) else None
    if not isinstance(said, dict):
        raise ValueError(  # noqa: TRY004 -- a file that is another one
            "it has no `unknowns`: `waggle probe beeminder` writes such a file"
        )
    if unknown := sorted(said.keys() - {known.name for known in fields(Unknowns)}):
        raise ValueError(f"there is no setting {unknown[0]!r}")
    found = dict(said)
    try:
        if "batch_shape" in found:
            found["batch_shape"] = BatchShape(**found["batch_shape"])
    except TypeError as exc:
        raise ValueError("its batch_shape is not one") from exc
    if "compares" in found:
        found["compares"] = tuple(found["compares"])
    return found
