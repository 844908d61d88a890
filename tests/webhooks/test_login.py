"""The link of `waggle login` works once; signing out needs a form of ours."""

import re

import pytest

from db.models import LoginLink

SECRET = "canary-login-secret"


@pytest.fixture
def link(serving) -> str:
    """A fresh link, stored under the key that is being rotated out."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(
                secret_hash=serving.vault.fingerprints(SECRET)[1],
                username="nobody-at-beeminder",
                expires_at=serving.clock.now() + 600,
            )
        )
    return f"/login/{SECRET}"


def _signed_in(serving) -> bool:
    return "Sign out" in serving.client.get("/").text


def test_a_link_signs_the_operator_in_once(serving, link):
    """The second use, from wherever, gets a page and no session."""
    first = serving.client.get(link)
    signed_in = _signed_in(serving)
    serving.client.cookies.clear()
    second = serving.client.get(link)

    assert (first.status_code, first.headers["Location"]) == (303, "/")
    assert signed_in
    assert second.status_code == 400
    assert "Set-Cookie" not in second.headers
    assert not _signed_in(serving)


def test_two_at_once_get_one_session(serving, link):
    """Of many simultaneous uses exactly one signs in."""
    answers = [serving.later(serving.client.get, link) for _ in range(8)]
    statuses = sorted(answer.result().status_code for answer in answers)

    assert statuses == [303] + [400] * 7


def test_an_expired_link_is_400(serving, link):
    """What was printed an hour ago is worth nothing."""
    serving.clock.at += 601

    assert serving.client.get(link).status_code == 400


def test_an_unknown_link_is_400(serving):
    """A guess is told what an expired link is told."""
    assert serving.client.get("/login/guess").status_code == 400


def test_a_look_ahead_does_not_use_the_link_up(serving, link):
    """A mail program that sends HEAD leaves the link for the person."""
    serving.client.head(link)

    assert serving.client.get(link).status_code == 303


def test_sign_out_needs_the_token_of_the_form(serving, link):
    """Another site cannot sign anybody out; the form of the page can."""
    serving.client.get(link)
    csrf = re.search(r'name="csrf" value="([^"]+)"', serving.client.get("/").text)[1]

    refused = serving.client.post("/logout", data={"csrf": csrf[:-3] + "AAA"})
    still = _signed_in(serving)
    done = serving.client.post("/logout", data={"csrf": csrf})

    assert refused.status_code == 403
    assert still
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert not _signed_in(serving)
