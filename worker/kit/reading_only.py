"""Promises to the vendor: nothing is changed there, and nothing is told to anybody else."""

import base64
import re
import urllib.parse
from collections.abc import Iterator

from worker.kit import troubles
from worker.kit.promises import promise
from worker.kit.stage import Scene, Stage
from worker.kit.vendor import Trouble

READING = frozenset({"GET", "HEAD"})
_CREDENTIAL = re.compile(r"(?im)^(?:authorization|cookie|proxy-authorization|x-api-key): \S")


@promise("list in `ApiClient.allowed` what may be asked; logins stand in the trial's `logins`")
def nothing_is_written(stage: Stage) -> Iterator[str]:
    """Only GET and HEAD are asked, and POST where one logs in."""
    told = set()
    for trouble in (None, *_unwell()):
        for step in range(stage.steps(stage.trial.feeds[0]) if trouble else 1):
            stage.vendor.be(trouble, at=step)
            with stage.scene() as scene:
                scene.read(*(stage.request(f, key=n) for n, f in enumerate(stage.trial.feeds)))
                scene.look()
            for asked in stage.vendor.requests:
                told.add((asked.method, asked.path))
    for method, path in sorted(told):
        if method not in READING and not (method == "POST" and path in stage.trial.logins):
            yield f"{method} {path}"


@promise("don't follow redirects by yourself: clients.http.ApiClient stays at its host")
def redirects_carry_nothing_away(stage: Stage) -> Iterator[str]:
    """A redirect to another host never carries a credential there."""
    trouble = troubles.redirecting(stage.vendor.other_url)
    for feed in stage.trial.feeds:
        for step in range(stage.steps(feed)):
            stage.vendor.be(trouble, at=step)
            before = len(stage.vendor.elsewhere.sent)
            with stage.scene() as scene:
                scene.read(stage.request(feed))
                scene.look()
                for sent in stage.vendor.elsewhere.sent[before:]:
                    if _CREDENTIAL.search(sent) or spelled(scene, sent):
                        yield f"{feed.metric}: request {step + 1} was sent on with a credential"


def spelled(scene: Scene, text: str) -> bool:
    """Does the text hold a secret of the source, plain or encoded?"""
    for secret in filter(None, scene.secrets()):
        spellings = {
            secret,
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
            base64.b64encode(secret.encode()).decode().rstrip("="),
        }
        if any(spelling in text for spelling in spellings):
            return True
    return False


def _unwell() -> Iterator[Trouble]:
    for trouble in troubles.statuses():
        if trouble.refused_login or trouble.name == "status 500":
            yield trouble


PROMISES = (nothing_is_written, redirects_carry_nothing_away)
