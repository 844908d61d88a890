"""Sources: one's own, connecting another one, checking, changing and removing them."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.responses import Response

from db import sources_removed
from db.models import Source, User
from db.names import source_name
from db.states import ErrandKind, FeedState
from webhooks import asking, errors, persons, sources_shown, visits
from webhooks.services import Field, ProviderForm
from webhooks.visits import Visit

LONGEST = 4000  # characters of one field
TITLE = "Sources · Waggle"


def listed(visit: Visit) -> Response:
    """`/sources`: what is connected, and what uses it."""
    with visit.receiver.ledger.read() as session:
        found = sources_shown.sources(
            session,
            user_id=visit.only_user_id,
            after=visit.query("after"),
            limit=sources_shown.PER_PAGE + 1,
        )
    rows = found[: sources_shown.PER_PAGE]
    older = None
    if len(found) > len(rows):
        older = f"/sources?{urlencode({'after': f'{rows[-1].username}/{rows[-1].name}'})}"
    return visit.page(
        "sources/list.html",
        title=TITLE,
        sources=rows,
        titles={form.name: form.title for form in visit.receiver.services.providers()},
        older=older,
    )


def providers(visit: Visit) -> Response:
    """`/sources/new`: the kinds of source that there are."""
    with visit.receiver.ledger.read() as session:
        user = persons.chosen(visit, session)
        people = persons.choices(session) if visit.viewer.operator else []
    return visit.page(
        "sources/providers.html",
        title="Connect a source · Waggle",
        providers=visit.receiver.services.providers(),
        user=None if user is None else user.username,
        people=[person.username for person in people],
    )


def new(visit: Visit) -> Response:
    """`/sources/new/{provider}`: the form of one kind."""
    form = _provider(visit, visit.path("provider"))
    with visit.receiver.ledger.read() as session:
        user = persons.chosen(visit, session)
        if user is None:
            return visit.go("/sources/new", say="Choose for whom first.", kind="warn")
        taken = {source.name for source in sources_shown.of_person(session, user.id or 0)}
    name, number = form.name, 2
    while name in taken:
        name, number = f"{form.name}-{number}", number + 1
    return _form(visit, form, user, values={"name": name}, mistakes={})


def make(visit: Visit) -> Response:
    """Store a new source, then see whether its credentials work."""
    form = _provider(visit, visit.path("provider"))
    values = _given(visit, form)
    with visit.receiver.ledger.write() as session:
        user = persons.chosen(visit, session)
        if user is None:
            raise errors.NotFoundError
        saved = visit.receiver.services.save_source(
            session,
            values,
            provider=form.name,
            owner=user,
            name=values.get("name", ""),
            row=None,
            by_operator=visit.viewer.operator,
            now=visit.now,
        )
        if saved.mistakes is None:
            name = session.get_one(Source, saved.source_id).name
            visit.did(
                session,
                "source.connect",
                source_name(user.username, name),
                user_id=user.id,
                provider=form.name,
            )
    if saved.mistakes is not None:
        return _form(visit, form, user, values=values, mistakes=saved.mistakes, status=422)
    path = f"/sources/{quote(user.username)}/{quote(name)}"
    if saved.by_browser:
        say = f"Saved. One step is left: let Waggle in at {form.title}."
        return visit.go(path, say=say, kind="warn")
    asking.begin(visit, ErrandKind.CHECK, user_id=user.id or 0, source_id=saved.source_id)
    return visit.go(path)


def source(visit: Visit) -> Response:
    """`/sources/{user}/{name}`: how it is, and what can be done about it."""
    user, row = _found(visit)
    return _source(visit, user, row, values={}, mistakes={})


def change(visit: Visit) -> Response:
    """Store other settings or credentials; a secret that was left empty stays as it is."""
    user, row = _found(visit)
    form = _provider(visit, row.provider)
    values = _given(visit, form)
    with visit.receiver.ledger.write() as session:
        held = session.get(Source, row.id)
        if held is None:
            raise errors.NotFoundError
        saved = visit.receiver.services.save_source(
            session,
            values,
            provider=form.name,
            owner=session.get_one(User, user.id),
            name=row.name,
            row=held,
            by_operator=visit.viewer.operator,
            now=visit.now,
        )
        if saved.mistakes is None and saved.details:
            visit.did(
                session,
                "source.change",
                source_name(user.username, row.name),
                user_id=user.id,
                changed=list(saved.details),
            )
    if saved.mistakes is not None:
        return _source(visit, user, row, values=values, mistakes=saved.mistakes, status=422)
    path = _path(user, row)
    if not saved.details:
        return visit.go(path, say="Nothing was changed.")
    visit.receiver.ringer.want([("sync", "default")])
    if not saved.by_browser:
        asking.begin(visit, ErrandKind.CHECK, user_id=user.id or 0, source_id=row.id)
    return visit.go(path, say=f"Changed: {', '.join(saved.details)}.")


def check(visit: Visit) -> Response:
    """See once more whether the credentials work."""
    user, row = _found(visit)
    asking.begin(visit, ErrandKind.CHECK, user_id=user.id or 0, source_id=row.id)
    return visit.go(_path(user, row))


def remove(visit: Visit) -> Response:
    """Remove a source that no feed uses; of one that stopped feeds remember, its credentials."""
    user, row = _found(visit)
    with visit.receiver.ledger.write() as session:
        gone = sources_removed.remove(session, row.id or 0, visit.now)
        if gone is not None:
            visit.did(
                session,
                "source.remove" if gone else "source.empty",
                source_name(user.username, row.name),
                user_id=user.id,
            )
    if gone is None:
        say = "Feeds use it: unlink them first. Nothing was changed."
        return visit.go(_path(user, row), say=say, kind="bad")
    if gone:
        return visit.go("/sources", say=f"{row.name} was removed, with its credentials.")
    say = "Its credentials were removed. Its name stays: stopped feeds remember what they sent."
    return visit.go(_path(user, row), say=say)


def _source(
    visit: Visit,
    user: User,
    row: Source,
    *,
    values: Mapping[str, str],
    mistakes: Mapping[str, str],
    status: int = 200,
) -> Response:
    forms = {form.name: form for form in visit.receiver.services.providers()}
    form = forms.get(row.provider)
    with visit.receiver.ledger.read() as session:
        used = sources_removed.feeds_of(session, row.id or 0)
    stored = {name: _text(value) for name, value in row.settings.items()}
    return visit.page(
        "sources/source.html",
        status=status,
        title=f"{row.name} · Waggle",
        source=row,
        username=user.username,
        path=_path(user, row),
        form=form,
        account=sources_shown.account(row.settings),
        feeds=[(name, state) for name, state in used if state != FeedState.STOPPED],
        stopped=[name for name, state in used if state == FeedState.STOPPED],
        checked=asking.newest(visit, ErrandKind.CHECK, user_id=user.id or 0, source_id=row.id),
        linkable=row.provider in visit.receiver.config.linkable and "client_id" in row.settings,
        values=_shown(form.fields if form else (), {**stored, **values}),
        mistakes=mistakes,
    )


def _form(
    visit: Visit,
    form: ProviderForm,
    user: User,
    *,
    values: Mapping[str, str],
    mistakes: Mapping[str, str],
    status: int = 200,
) -> Response:
    return visit.page(
        "sources/new.html",
        status=status,
        title=f"Connect {form.title} · Waggle",
        form=form,
        username=user.username,
        others=visit.viewer.operator,
        values=_shown(form.fields, values),
        mistakes=mistakes,
        callback=f"{visit.receiver.config.public_url}/{form.name}/callback",
    )


def _shown(fields: tuple[Field, ...], values: Mapping[str, str]) -> dict[str, str]:
    """What stands in the fields: of what is secret nothing, also if it has just been typed."""
    secret = {field.name for field in fields if field.kind == "secret"}
    return {name: value for name, value in values.items() if name not in secret}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value)


def _given(visit: Visit, form: ProviderForm) -> dict[str, str]:
    """What was typed into the fields of this form, and nothing else."""
    found = {}
    for name in ("name", *(field.name for field in form.fields)):
        value = visit.form.get(name, "")
        if len(value) > LONGEST or "\0" in value:
            message = f"{name} is too long, or holds what can't be part of it"
            raise errors.AnswerError(400, "malformed", message)
        found[name] = value
    return found


def _provider(visit: Visit, name: str) -> ProviderForm:
    for form in visit.receiver.services.providers():
        if form.name == name:
            return form
    raise errors.NotFoundError


def _found(visit: Visit) -> tuple[User, Source]:
    with visit.receiver.ledger.read() as session:
        user = persons.of_name(visit, session, visit.path("user"))
        row = sources_shown.one(session, user.id or 0, visit.path("name"))
    if row is None:
        raise errors.NotFoundError
    return user, row


def _path(user: User, row: Source) -> str:
    return f"/sources/{quote(user.username)}/{quote(row.name)}"


ROUTES = (
    visits.page("/sources", listed),
    visits.page("/sources/new", providers),
    visits.page("/sources/new/{provider}", new),
    visits.form("/sources/new/{provider}", make),
    visits.page("/sources/{user}/{name}", source),
    visits.form("/sources/{user}/{name}", change),
    visits.form("/sources/{user}/{name}/check", check),
    visits.form("/sources/{user}/{name}/remove", remove),
)
