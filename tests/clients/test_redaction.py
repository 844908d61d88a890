"""Secrets leave no trace in what others may read."""

import urllib.parse

from hypothesis import given
from hypothesis import strategies as st

from clients import redaction

SECRET = "p4ss w/rd+é"


def test_every_part_is_secret():
    """Whatever part of the request carries it, a credential counts as a secret."""
    credentials = redaction.Credentials(
        headers={"Authorization": "Bearer tok-1"},
        query={"auth_token": "tok-2"},
        form={"auth_token": "tok-3"},
        json={"password": "tok-4", "empty": ""},
    )
    assert {"tok-1", "tok-2", "tok-3", "tok-4"} < set(credentials.secrets())
    assert "" not in credentials.secrets()
    assert "tok" not in repr(credentials)


def test_nested_values_and_keys():
    """An error body keeps its shape, without the secret in any text or key."""
    body = {"a": [{SECRET: f"your {SECRET}!"}, 1, None], "b": True}
    clean = redaction.scrub(body, [SECRET])
    assert clean == {"a": [{redaction.MASK: f"your {redaction.MASK}!"}, 1, None], "b": True}


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_every_spelling(before, after):
    """Percent-encoded or not, the secret is gone and the rest stays."""
    for spelling in (SECRET, urllib.parse.quote(SECRET, safe=""), urllib.parse.quote_plus(SECRET)):
        clean = redaction.scrub_text(before + spelling + after, [SECRET])
        assert spelling not in clean
        assert clean.startswith(before)


def test_short_secrets_are_masked_as_words():
    """A secret as short as a word of the vendor does not garble the vendor's error codes."""
    assert redaction.scrub_text("expired_token", ["token"]) == "expired_token"
    assert redaction.scrub_text("got token, bad", ["token"]) == "got [redacted], bad"


def test_a_secret_within_another():
    """A short secret that is part of a longer one does not leave the longer one's rest behind."""
    credentials = redaction.Credentials(query={"a": "abcdefghijk", "b": "abcdefgh"})
    assert (
        redaction.scrub_text("x abcdefghijk abcdefgh", credentials.secrets())
        == "x [redacted] [redacted]"
    )
