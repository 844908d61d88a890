"""A visit: somebody who is signed in asks for a page, or sends a form of ours.

Every page is made by `page` or `form` of this module, so that who may see it, and that a form is
ours, is decided in one place. A handler is a plain function of a `Visit`; it runs in a thread.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from db import deeds
from webhooks import bodies, errors, places, rendering, request_ids, said, sessions
from webhooks.receiver import Receiver, receiver_of
from webhooks.sessions import Viewer

FRAGMENT = "hx-request"
FAREWELL = (
    "Everything that Waggle knew of you is deleted. What was sent to Beeminder is yours and stays; "
    "there, among the authorized apps, you can take the access away."
)


class Access(StrEnum):
    """Who may come to a route."""

    ANYBODY = "anybody"
    PERSON = "person"  # signed in; sees their own things, and an operator everybody's
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a viewer. `form` holds what was sent, once it is known to be our form."""

    request: Request
    receiver: Receiver
    viewer: Viewer
    now: float
    form: ImmutableMultiDict[str, str] = field(default_factory=ImmutableMultiDict)

    @property
    def only_user_id(self) -> int | None:
        """Whose things to show: None for everybody's."""
        return self.viewer.only_user_id

    @property
    def fragment(self) -> bool:
        """Whether htmx asks for a part of a page that is open."""
        return FRAGMENT in self.request.headers

    def path(self, name: str) -> str:
        """A part of the path by its name in the route."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A field of the query; None when it is missing or empty."""
        return self.request.query_params.get(name) or None

    def text(self, name: str, *, longest: int = 200) -> str:
        """A field of the form that has to be there; what is wrong with it is answered with 400."""
        return bodies.text_field(self.form, name, longest=longest) or ""

    def page(self, template: str, *, status: int = 200, **values: object) -> Response:
        """The page that this template makes; it says once what the last form came to.

        A part of a page says nothing of that: it is asked for at any time.
        """
        told = None if self.fragment else said.take(self.receiver, self.request)
        response = rendering.page(
            template,
            status=status,
            viewer=self.viewer,
            now=self.now,
            zone=self.viewer.zone,
            here=self.request.url.path,
            told=told,
            **values,
        )
        if told is not None:
            said.forget(self.receiver, response)
        return response

    def go(self, path: str, *, say: str | None = None, kind: said.Kind = "good") -> Response:
        """On to another page, by GET, which says what was done (`kind`: good, warn or bad)."""
        if self.fragment:
            response = Response(status_code=204, headers={**rendering.HEADERS, "HX-Redirect": path})
        else:
            response = RedirectResponse(path, status_code=303, headers=rendering.HEADERS)
        if say is not None:
            said.later(self.receiver, response, say, kind=kind)
        return response

    def did(
        self,
        session: Session,
        action: str,
        subject: str,
        *,
        user_id: int | None = None,
        **details: object,
    ) -> None:
        """Keep what this visit does, in the transaction that does it."""
        deeds.record(
            session,
            at=self.now,
            actor=self.viewer.username,
            as_operator=self.viewer.operator,
            user_id=self.viewer.user_id if user_id is None else user_id,
            action=action,
            subject=subject,
            details=dict(details),
            request_id=request_ids.current(),
        )


Handler = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def sign_in_first(request: Request) -> Response:
    """To the front page, which brings whoever signs in back to a page that they asked for."""
    place = places.sign_in(request.url.path if request.method in ("GET", "HEAD") else "/")
    if FRAGMENT in request.headers:
        return Response(status_code=204, headers={**rendering.HEADERS, "HX-Redirect": place})
    return RedirectResponse(place, status_code=303, headers=rendering.HEADERS)


def _farewell(receiver: Receiver, request: Request) -> Response:
    """To the front page, which says once that nothing is known of them any more."""
    if FRAGMENT in request.headers:
        response = Response(status_code=204, headers={**rendering.HEADERS, "HX-Redirect": "/"})
    else:
        response = RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
    sessions.end(receiver, response)
    said.later(receiver, response, FAREWELL)
    return response


class PageRoute(Route):
    """A route that says who may come to it. `answer` is what answers a request."""

    def __init__(
        self, path: str, answer: Endpoint, *, methods: Sequence[str] = ("GET",), access: Access
    ) -> None:
        self.access = access
        self.answer = answer
        super().__init__(path, answer, methods=list(methods))


def page(path: str, handler: Handler, *, access: Access = Access.PERSON) -> PageRoute:
    """A page, for GET."""
    return PageRoute(path, _endpoint(handler, access), access=access)


def form(path: str, handler: Handler, *, access: Access = Access.PERSON) -> PageRoute:
    """Where a form of ours is sent to, by POST."""
    return PageRoute(path, _endpoint(handler, access), methods=("POST",), access=access)


def front(path: str, handler: Handler, stranger: Callable[[Request], Response]) -> PageRoute:
    """A page for whoever is signed in, and another one for a stranger."""
    return PageRoute(path, _endpoint(handler, Access.PERSON, stranger), access=Access.ANYBODY)


def guarded(path: str, answer: Endpoint, *, access: Access = Access.PERSON) -> PageRoute:
    """What is no page (a stream, say) and asks itself who is there."""
    return PageRoute(path, answer, access=access)


def _endpoint(
    handler: Handler,
    access: Access,
    stranger: Callable[[Request], Response] = sign_in_first,
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        sent: ImmutableMultiDict[str, str] | None = None
        if request.method == "POST":
            sent = await bodies.form(request, limit=receiver_of(request).config.max_body)
        return await run_in_threadpool(_visit, handler, access, stranger, request, sent)

    return endpoint


def _visit(
    handler: Handler,
    access: Access,
    stranger: Callable[[Request], Response],
    request: Request,
    sent: ImmutableMultiDict[str, str] | None,
) -> Response:
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        gone = viewer is None and sessions.gone(receiver, request, session)
    if gone:
        return _farewell(receiver, request)
    if viewer is None:
        return stranger(request)
    if access is Access.OPERATOR and not viewer.operator:
        raise errors.NotFoundError  # what is not theirs does not exist for whoever asks
    if sent is not None and not sessions.csrf_fits(receiver, request, sent.get("csrf")):
        message = "this form is out of date: go back, load the page again, and try once more"
        raise errors.AnswerError(403, "form_out_of_date", message)
    return handler(
        Visit(
            request=request,
            receiver=receiver,
            viewer=viewer,
            now=receiver.clock.now(),
            form=ImmutableMultiDict() if sent is None else sent,
        )
    )
