"""Linking a source to Bime in the browser, and what becomes of its token."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from clients import errors
from tasks.metrics.bime import PROVIDER, Settings
from tasks.providers import NOT_LINKED, Grant
from tests.tasks.metrics.bime_account import TOKEN, Account

REDIRECT = "https://waggle.example.org/bime/callback"
APP = {"client_id": "app-1", "client_secret": "canary-secret"}
FLOW = PROVIDER.code_flow


class Kept:
    """What a ledger does with tokens, as far as one thread sees it."""

    def __init__(self):
        self.grant, self.asked = None, []

    def __call__(self, authenticate):
        """As `Link.tokens`."""
        self.authenticate = authenticate
        return self

    def access(self):
        """What is kept, or a login."""
        if self.grant is None:
            self.grant = self.authenticate(None)
        return self.grant.access

    def renew(self, rejected):
        """A refresh where that can be done."""
        assert rejected == self.grant.access
        self.asked.append(self.grant.refresh)
        self.grant = self.authenticate(self.grant.refresh)
        return self.grant.access


@pytest.fixture
def account():
    with Account() as made:
        made.state.register_app(**APP, redirect_uri=REDIRECT, account="acme")
        yield made


@pytest.fixture
def settings(account):
    return APP | {"oauth_url": account.server.url}


def consent(account, link):
    """The code that comes back after a person has said yes."""
    address = FLOW.address(link.settings, redirect_uri=REDIRECT, state="s-1")
    answer = httpx.get(address, trust_env=False)
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    assert found["state"] == ["s-1"]
    return found["code"][0]


@pytest.mark.parametrize("in_query", [False, True])
@pytest.mark.parametrize("query_only", [False, True])
def test_a_code_becomes_a_token(account, settings, in_query, query_only):
    """In the form first; where only the query string is read, the setting that the error names."""
    account.state.switch(query_only=query_only)
    kept = Kept()
    link = account.link(kept, **settings, token_in_query=in_query)
    assert FLOW.offered(link.settings)
    code = consent(account, link)
    if query_only and not in_query:
        with pytest.raises(errors.Rejected, match="token_in_query"):
            FLOW.exchange(link, code=code, redirect_uri=REDIRECT)
        return
    kept.grant = FLOW.exchange(link, code=code, redirect_uri=REDIRECT)
    assert kept.grant == Grant(kept.grant.access, None, None)
    account.state.add("dashboards")
    reader = account.connect(tokens=kept, **settings)
    (answer,) = account.ask("dashboards_created", reader=reader)
    assert answer["day+0"].value == 1.0


@pytest.mark.parametrize("verbosity", ["rfc", "draft-5"])
def test_a_code_that_is_not_good(account, settings, verbosity):
    """Used, late or of another app: a refused login in either dialect, and no secret is told."""
    account.state.switch(oauth_errors=verbosity)
    link = account.link(Kept(), **settings)
    code = consent(account, link)
    FLOW.exchange(link, code=code, redirect_uri=REDIRECT)
    wrong = account.link(Kept(), **settings | {"client_secret": "canary-other"})
    for tried in (link, wrong):
        with pytest.raises(errors.AuthFailed) as caught:
            FLOW.exchange(tried, code=code, redirect_uri=REDIRECT)
        assert "canary" not in str(caught.value)
        assert code not in str(caught.value)


def test_the_old_path_ends_cleanly(account, settings):
    """A server that has the token endpoint elsewhere: not found, and nothing else is tried."""
    account.state.switch(old_path=True)
    link = account.link(Kept(), **settings)
    with pytest.raises(errors.NotFound):
        FLOW.exchange(link, code=consent(account, link), redirect_uri=REDIRECT)


def test_not_linked_yet(account, settings):
    """Nobody has said yes: the reason is a word that pages know, and nothing is asked."""
    reader = account.connect(tokens=Kept(), **settings)
    with pytest.raises(errors.AuthFailed, match="not linked") as caught:
        account.ask("dashboards_created", reader=reader)
    assert caught.value.reason == NOT_LINKED
    assert account.statuses == []


def test_a_token_that_ends_is_refreshed_once(account, settings):
    """With its end and its refresh token told, as it once was; the request goes out again."""
    account.state.switch(expires_in=60, refresh=True)
    kept = Kept()
    link = account.link(kept, **settings)
    kept.grant = FLOW.exchange(link, code=consent(account, link), redirect_uri=REDIRECT)
    assert kept.grant.expires_at == account.clock.now + 60
    first = kept.grant
    reader = account.connect(tokens=kept, **settings)
    account.clock.now += 60
    (answer,) = account.ask("dashboards_created", reader=reader)
    assert answer["day+0"].value == 0.0
    assert kept.asked == [first.refresh]
    assert kept.grant.access != first.access
    assert [status for path, status in account.statuses if path == "dashboards"] == [401, 200]


def test_a_token_that_was_taken_back_asks_to_be_linked_again(account, settings):
    """Without a refresh token there is one 401 and no loop."""
    kept = Kept()
    link = account.link(kept, **settings)
    kept.grant = FLOW.exchange(link, code=consent(account, link), redirect_uri=REDIRECT)
    account.state.tokens.clear()
    reader = account.connect(tokens=kept, **settings)
    with pytest.raises(errors.AuthFailed) as caught:
        account.ask("dashboards_created", "connections", reader=reader)
    assert caught.value.reason == NOT_LINKED
    assert [status for path, status in account.statuses if path == "dashboards"] == [401]


def test_a_static_token_is_not_linked(account):
    """Where the file has a token there is no page to go to."""
    settings = Settings(access_token=TOKEN)
    assert not FLOW.offered(settings)
    with pytest.raises(ValueError, match="nothing to link"):
        FLOW.address(settings, redirect_uri=REDIRECT, state="s")
