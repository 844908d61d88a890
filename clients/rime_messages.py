"""One message of a RIME socket, in whatever envelope: who it is about, and how far that is.

https://rimedata.io/docs/api/overview says that there are sockets and nothing of their messages.
So the usual names are tried. A message is a hint: what counts is read from the API.
"""

from datetime import UTC, tzinfo

from clients import rime_messages_fields as fields
from clients import rime_messages_kinds as kinds
from clients import rime_messages_progress as progress
from clients.rime_messages_kinds import Role
from clients.rime_messages_shapes import Level, Shape
from clients.rime_models import instant
from clients.values import value

_NOTHING = progress.Progress()


@value
class Message:
    """What a message says; None: it does not say.

    `kind` as the vendor wrote it, "" for none. `run`, `step`: whom it is about. `status` in the
    vendor's word. `rows` of the step where one is named, else of the run; `fraction` 0 to 1 of the
    same. `attempt` 0 or more. `at` in UTC seconds, `seq` a number that grows, `id` the message's
    own. `code` of an error, and `retry_after` in seconds.
    """

    kind: str = ""
    role: Role = "other"
    run: str | None = None
    step: str | None = None
    status: str | None = None
    attempt: int | None = None
    rows: float | None = None
    fraction: float | None = None
    steps_done: int | None = None
    steps_total: int | None = None
    at: float | None = None
    seq: float | None = None
    id: str | None = None
    code: str | None = None
    retry_after: float | None = None


def message(frame: Level, *, event: str = "", zone: tzinfo = UTC) -> Message:
    """The message in a JSON object. Never raises.

    `event`: its kind where it names none. `zone`: of times that name none.
    """
    levels = fields.levels(frame)
    kind = fields.kind(levels, event)
    told = kinds.told_by(kind)
    values = fields.found(levels)
    content: Level | None = None
    shape: Shape | None = None
    for level, its in reversed(levels):
        if its.content:
            content, shape = level, its
            break
    run, step, own = fields.run(values), fields.step(values), None
    if content is not None and shape is not None:
        own = fields.own_id(content, shape)
        if step is None and told.of_step:
            step, own = own or fields.text(content.get("name")), None
        elif own is not None and run is None and step is None:
            run, own = (own, None) if fields.is_run(content, shape, levels, told) else (None, own)
    found, status = _NOTHING, None
    # About the connection, or about a step that is not named: nothing of it is the run's.
    if run is not None if told.talk else (step is not None or not told.of_step):
        if content is None or shape is None:
            status = told.status
        else:
            found = progress.found(content, shape)
            status = fields.status(content, shape, told)
    own = fields.text(values.get("id")) or own or fields.inner_id(levels)
    at = values.get("at")
    code, wait = fields.trouble(values)
    return Message(
        kind=kind,
        role=_role(values, told, found, status, code),
        run=run,
        step=step,
        status=status,
        attempt=fields.attempt(values),
        rows=found.rows,
        fraction=found.fraction,
        steps_done=found.steps_done,
        steps_total=found.steps_total,
        at=None if at is None else instant(at, zone),
        seq=progress.count(values.get("seq")),
        id=None if own in (run, step) else own,
        code=code,
        retry_after=wait,
    )


def _role(
    values: Level,
    told: kinds.Kind,
    found: progress.Progress,
    status: str | None,
    code: str | None,
) -> Role:
    role: Role | None = told.role
    if role is None and (status is not None or found != _NOTHING):
        return "progress"
    if role is None and values.get("error"):
        role = "error"
    if role == "error" and code is not None and kinds.is_refusal(code):
        return "refused"
    return role or "other"
