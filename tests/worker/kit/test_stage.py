"""How sources are played: sessions, links by the code flow, and what is kept between questions."""

import dataclasses
import re

import pytest

from clients import redaction
from clients.errors import AuthFailed, ClientError
from clients.http import ApiClient
from tasks.providers import NOT_LINKED, Grant
from tests.worker.kit.sample import PROVIDER, TRIAL, Reader, played
from worker.kit import run
from worker.kit.stage import Stage
from worker.kit.troubles import garbled
from worker.kit.vendor import Vendor

FRESH = {"access": "a-fresh-access-token"}


class Session(ApiClient):
    """Refreshes tokens with POST."""

    vendor = "the sample"
    allowed = (("POST", re.compile("token")),)

    def refresh(self, token):
        """One refresh."""
        form = redaction.Credentials(form={"refresh_token": token})
        answer = self._request("POST", "token", credentials=form)
        body = answer.json()
        if not isinstance(body, dict) or not isinstance(body.get("access"), str):
            raise answer.unexpected("field access is missing")
        return Grant(body["access"], token, None)


class Linked(Reader):
    """Reads with a session that a person has linked."""

    def __init__(self, link):
        super().__init__(link)
        self.session = Session(http=link.http, base_url=link.settings.url, gate=link.gate)
        self.tokens = link.tokens(self.authenticate)

    def authenticate(self, refresh):
        """Only a person can begin."""
        if refresh is None:
            raise AuthFailed("link it first", reason=NOT_LINKED)
        return self.session.refresh(refresh)

    def ask(self, path):
        """With the token in place of the key."""
        token = self.tokens.access()
        try:
            return self.client.ask(path, token)
        except AuthFailed:
            return self.client.ask(path, self.tokens.renew(token))


LINKED = dataclasses.replace(PROVIDER, connect=Linked)
ENDED = Grant("an-ended-access-token", "a-refresh-token-of-the-trial", TRIAL.now)
BY_LINK = dataclasses.replace(
    TRIAL, answers={**TRIAL.answers, "/token": FRESH}, logins=["/token"], linked=ENDED
)


@pytest.mark.parametrize("expires_at", [TRIAL.now, None], ids=["ended", "alive"])
def test_a_linked_source_is_played_as_well(expires_at) -> None:
    """With tokens that live, and with ended ones, whose refresh is in all the trouble too."""
    linked = dataclasses.replace(ENDED, expires_at=expires_at)
    outcomes = list(run.run(LINKED, dataclasses.replace(BY_LINK, linked=linked)))
    assert [outcome for outcome in outcomes if outcome.state == "broken"] == []


def test_a_login_that_the_trial_does_not_name_is_a_post() -> None:
    """What may be asked with POST is said, not guessed."""
    outcome = played(
        run.reading_only.nothing_is_written, LINKED, dataclasses.replace(BY_LINK, logins=[])
    )
    assert outcome.problems == ("POST /token",)


def test_tokens_are_secrets_of_a_scene() -> None:
    """Those of the link and those that were made with it are looked for like the key."""
    with Vendor(BY_LINK) as vendor, Stage(LINKED, BY_LINK, vendor).scene() as scene:
        scene.read(scene.stage.request(BY_LINK.feeds[0]))
        assert set(scene.secrets()) >= {"a-key-of-the-sample", ENDED.access, FRESH["access"]}


@pytest.mark.parametrize(
    ("feeds", "step", "times"), [([0], 0, 1), ([0, 1], 0, 2), ([0, 1], 1, 1)], ids=str
)
def test_trouble_for_good_is_tried_where_it_can_differ(feeds, step, times) -> None:
    """Once and for good are the same to who asks nothing after the request in trouble."""
    with Vendor(TRIAL) as vendor:
        stage = Stage(PROVIDER, TRIAL, vendor)

        def ask(scene):
            return scene.read(*(stage.request(TRIAL.feeds[n], key=n) for n in feeds))

        found = list(stage.troubled(next(garbled()), step, ask))
        assert len(found) == times
        assert all(isinstance(told.value[feeds[step]], ClientError) for told in found)
        if times > 1:
            assert not isinstance(found[0].value[1], ClientError)
            assert isinstance(found[1].value[1], ClientError)


def test_a_new_scene_knows_nothing() -> None:
    """Each asks as if it were the first: trouble at a request meets the same request each time."""
    with Vendor(TRIAL) as vendor:
        stage = Stage(PROVIDER, TRIAL, vendor)
        assert [stage.steps(TRIAL.feeds[0]) for _ in range(2)] == [1, 1]
