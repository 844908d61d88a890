"""What each address of a page is tried with. A new page needs a line here.

`names` in curly brackets are those of `belongings`: a person's own, another person's, or nobody's.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from starlette.routing import Route

from webhooks import routes
from webhooks.visits import PageRoute

PART = re.compile(r"{(\w+)(?::\w+)?}")
PLAIN = r"{\1}"
FORM = re.compile(r"<form([^>]*)>(.*?)</form>", re.DOTALL)
INPUT = re.compile(r"<input([^>]*)>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How one page is asked for, and what it does.

    `parts`: parts of the path whose name is not that of a belonging. `form`: what is sent, beside
    the token; where the form stands on a page (`on`) also what is hidden in it. `status`: where it
    is not 200 for a page and 303 for a form; `operator`: where it is another one for an operator
    who is nobody at Beeminder. `changes`: does a form change the ledger; `deed`: is it kept who did
    it. `lists`: an operator sees everybody's on it. `stream`: it does not end by itself.
    `fragment`: a part of a page, which htmx asks for. `also`: other ways to ask for it, that show
    something else.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    on: str | None = None
    status: int | None = None
    operator: int | None = None
    changes: bool = True
    deed: bool = True
    lists: bool = False
    stream: bool = False
    fragment: bool = False
    also: tuple["Sample", ...] = ()

    def address(self, path: str, names: Mapping[str, str]) -> str:
        """The path of a route with these names in it, and the query."""
        found = PART.sub(
            lambda part: quote(
                self.parts.get(part[1], f"{{{part[1]}}}").format_map(names), safe="/:"
            ),
            path,
        )
        query = {name: text.format_map(names) for name, text in self.query.items()}
        return f"{found}?{urlencode(query)}" if query else found

    def data(self, names: Mapping[str, str]) -> dict[str, str]:
        """The fields of the form."""
        return {name: text.format(**names) for name, text in self.form.items()}

    def used(self, path: str) -> set[str]:
        """The names that this page is called by."""
        texts = [self.parts.get(name, f"{{{name}}}") for name in PART.findall(path)]
        texts += [*self.query.values(), *self.form.values()]
        return {name for text in texts for name in PART.findall(text)}


# Where a goal has several feeds, the one without a label.
ONE_FEED = {"goal": "{goal}:"}
SOURCE = {"user": "{user}", "source": "{source_name}"}
# What was chosen of a link; the goal is one at Beeminder, and no row of ours yet.
LINK = SOURCE | {
    "metric": "timeseries_aggregate",
    "p.timeseries": "17",
    "goal": "new-goal",
    "since": "{date}",
    "every": "1h",
}
ACCOUNT = {
    "url": "https://other.example.org/api/v0",
    "email": "other@example.org",
    "password": "canary",
}
CHANNEL = {"ref": "{channel}"}

PAGES: dict[str, Sample] = {
    "/": Sample(
        lists=True,
        also=(Sample(query={"state": "attention"}), Sample(query={"page": "2", "q": "a"})),
    ),
    "/events": Sample(lists=True, also=(Sample(query={"state": "failed", "q": "a"}),)),
    "/events/{event}": Sample(),
    "/feeds/stream": Sample(stream=True),
    "/feeds/{user}/{goal}": Sample(also=(Sample(parts=ONE_FEED),)),
    "/feeds/{user}/{goal}/callbacks": Sample(parts=ONE_FEED),
    "/feeds/{user}/{goal}/datapoints": Sample(parts=ONE_FEED),
    "/feeds/{user}/{goal}/days/{daystamp}": Sample(parts={"daystamp": "{day}"}),
    "/feeds/{user}/{goal}/link": Sample(parts={"goal": "{calm_goal}"}),
    "/feeds/{user}/{goal}/preview": Sample(parts=ONE_FEED),
    "/feeds/{user}/{goal}/progress": Sample(fragment=True),
    "/link": Sample(query={"user": "{user}"}),
    "/link/metric": Sample(query=LINK, also=(Sample(query=SOURCE),)),
    "/link/goal": Sample(query=LINK),
    "/link/preview": Sample(query=LINK),
    "/link/confirm": Sample(query=LINK),
    "/operator": Sample(),
    "/operator/figures": Sample(fragment=True),
    "/operator/gates": Sample(lists=True, also=(Sample(query={"all": "yes"}),)),
    "/operator/gates/open": Sample(query={"gate": "{gate}"}),
    "/operator/inbox": Sample(lists=True, also=(Sample(query={"state": "failed", "q": "a"}),)),
    "/operator/log": Sample(lists=True),
    "/operator/outbox": Sample(
        lists=True,
        also=(Sample(query={"state": "held"}), Sample(query={"user": "{user}", "q": "a"})),
    ),
    "/operator/people": Sample(lists=True, also=(Sample(query={"q": "a"}),)),
    "/operator/people/{person}": Sample(parts={"person": "{user_id}"}),
    "/operator/tables": Sample(status=303),
    "/operator/tables/{rest}": Sample(
        parts={"rest": ""},
        also=(
            Sample(parts={"rest": "feed/list"}),
            Sample(parts={"rest": "feed/details/{feed}"}),
            Sample(parts={"rest": "event/list"}),
        ),
    ),
    "/operator/workers": Sample(),
    "/runs": Sample(lists=True),
    "/runs/stream": Sample(lists=True, stream=True),
    "/settings": Sample(),
    "/settings/data": Sample(),
    "/sources": Sample(lists=True),
    "/sources/new": Sample(query={"user": "{user}"}),
    "/sources/new/{provider}": Sample(
        parts={"provider": "bemserver"},
        query={"user": "{user}"},
        also=tuple(
            Sample(parts={"provider": each}, query={"user": "{user}"})
            for each in ("bime", "bmparts", "rime")
        ),
    ),
    "/sources/{user}/{name}": Sample(parts={"name": "{source_name}"}),
    "/settings/channels/{ref}": Sample(parts=CHANNEL, operator=404, fragment=True),
}
FORMS: dict[str, Sample] = {
    "/events/{event}/replay": Sample(),
    "/feeds/{user}/{goal}/approve": Sample(on="/feeds/{user}/{goal}"),
    "/feeds/{user}/{goal}/backfill": Sample(
        parts={"goal": "{calm_goal}"}, form={"from": "{date}", "to": "{date}"}
    ),
    "/feeds/{user}/{goal}/backfill/cancel": Sample(),
    "/feeds/{user}/{goal}/drop": Sample(on="/feeds/{user}/{goal}"),
    "/feeds/{user}/{goal}/manual": Sample(),
    "/feeds/{user}/{goal}/pause": Sample(),
    "/feeds/{user}/{goal}/pin": Sample(form={"day": "{date}"}),
    "/feeds/{user}/{goal}/relink": Sample(),
    "/feeds/{user}/{goal}/resume": Sample(),
    "/feeds/{user}/{goal}/sync": Sample(),
    "/feeds/{user}/{goal}/undo": Sample(parts={"goal": "{calm_goal}"}),
    "/feeds/{user}/{goal}/unlink": Sample(),
    "/feeds/{user}/{goal}/unpin": Sample(form={"day": "{date}"}),
    "/link": Sample(form=LINK),
    "/operator/gates/open": Sample(form={"gate": "{gate}"}),
    "/operator/inbox/confirm": Sample(form={"id": "{event}"}, status=200, changes=False),
    "/operator/inbox/replay": Sample(form={"id": "{event}"}),
    "/operator/outbox/retry": Sample(form={"id": "{point}"}),
    "/settings/channels": Sample(form={"url": "ntfy://a-topic"}, operator=404),
    "/settings/channels/{ref}/remove": Sample(parts=CHANNEL, operator=404),
    "/settings/channels/{ref}/test": Sample(parts=CHANNEL, operator=404),
    "/settings/data/export": Sample(status=200, operator=404),
    "/settings/data/leave": Sample(form={"words": "delete everything"}, operator=404),
    "/settings/hook": Sample(status=200, operator=404),
    "/settings/hook/renew": Sample(operator=404),
    "/sources/new/{provider}": Sample(
        parts={"provider": "bemserver"}, form={"user": "{user}", "name": "second"} | ACCOUNT
    ),
    "/sources/{user}/{name}": Sample(parts={"name": "{source_name}"}, form=ACCOUNT),
    "/sources/{user}/{name}/check": Sample(parts={"name": "{source_name}"}, deed=False),
    "/sources/{user}/{name}/remove": Sample(parts={"name": "{spare}"}),
}

# What has no page: who may come is decided by a secret in the address, or it is for anybody.
# The status is what a stranger gets who knows none.
DOORS: dict[str, int] = {
    "GET /healthz": 200,
    "GET /readyz": 503,  # no worker is there
    "GET /metrics": 200,
    "GET /login/{secret}": 400,
    "POST /logout": 403,
    "GET /static/{name}": 404,
    "POST /beeminder/autofetch/{secret}": 404,
    "POST /beeminder/deauthorized/{secret}": 404,
    "POST /beeminder/reminder/{hook}": 404,
    "GET /beeminder/connect": 302,
    "GET /beeminder/callback": 400,
    "GET /{provider}/connect/{source}": 404,
    "GET /{provider}/callback": 404,
}


def method(route: Route) -> str:
    """GET or POST: each address of ours is for one of them."""
    (found,) = (route.methods or set()) - {"HEAD"}
    return found


def name(route: Route) -> str:
    """`GET /events`."""
    return f"{method(route)} {PART.sub(PLAIN, route.path)}"


def pages() -> list[PageRoute]:
    """All that are asked for by GET and answer to somebody who is signed in."""
    return [route for route in routes.PAGES if method(route) == "GET"]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a page in a browser."""

    route: PageRoute
    sample: Sample

    @property
    def name(self) -> str:
        """The path, with what is asked for."""
        return self.sample.address(self.route.path, Unnamed())

    def address(self, names: Mapping[str, str]) -> str:
        """Where that is, with these names in it."""
        return self.sample.address(self.route.path, names)

    def known(self, names: Mapping[str, str]) -> bool:
        """Are there all names that it needs?"""
        return self.sample.used(self.route.path) <= names.keys()


class Unnamed(dict[str, str]):
    """Names that stand for themselves."""

    def __missing__(self, name: str) -> str:
        return name


def looks() -> list[Look]:
    """All pages that a browser shows under their own address, in each way they are asked for."""
    return [
        Look(route, one)
        for route in pages()
        if not ((first := sample(route)).stream or first.fragment or first.status)
        for one in (first, *first.also)
    ]


def forms() -> list[PageRoute]:
    """All that forms are sent to."""
    return [route for route in routes.PAGES if method(route) == "POST"]


def status(route: PageRoute, *, operator: bool = False) -> int:
    """What whoever may ask for it is answered with."""
    found = sample(route)
    usual = found.status or (200 if method(route) == "GET" else 303)
    return (found.operator or usual) if operator else usual


def hidden(page: str, address: str) -> dict[str, str]:
    """What the form of this address (or of a button in it) carries on a page, but for its token."""
    forms = [each[1] for each in FORM.findall(page) if f'action="{address}"' in each[0] + each[1]]
    assert forms, f"there is no form for {address} on the page"
    fields = [dict(ATTRIBUTE.findall(each)) for each in INPUT.findall(forms[0])]
    return {
        html.unescape(each["name"]): html.unescape(each.get("value", ""))
        for each in fields
        if each.get("type") == "hidden" and each["name"] != "csrf"
    }


def sample(route: PageRoute) -> Sample:
    """The line of a page; a missing one is a mistake of whoever made the page."""
    table = PAGES if method(route) == "GET" else FORMS
    path = name(route).partition(" ")[2]
    assert path in table, f"tests/webhooks/samples.py has no line for {name(route)}"
    return table[path]
