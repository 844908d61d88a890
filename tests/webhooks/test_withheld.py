"""What no page shows: secrets by the names that they are kept under."""

import pytest

from webhooks import withheld


@pytest.mark.parametrize(
    "name",
    ["token_cipher", "url_hash", "token_hashes", "access_token", "Password", "api_key", "apiKey",
     "client_secret", "credentials_cipher", "quota_key"],
)  # fmt: skip
def test_names_of_secrets_are_known(name):
    """However they are written."""
    assert withheld.secret(name)


@pytest.mark.parametrize("name", ["username", "slug", "key_ends_at", "requestid", "state"])
def test_other_names_are_none(name):
    """Else nothing could be shown."""
    assert not withheld.secret(name)


def test_secrets_are_left_out_however_deep_they_are():
    """In lists and objects; what was given is not changed."""
    given = {"a": [{"token": "x"}, {"b": 1}], "password": {"deep": "x"}, "n": None}
    assert withheld.without_secrets(given) == {
        "a": [{"token": "left out"}, {"b": 1}],
        "password": "left out",
        "n": None,
    }
    assert given["a"][0]["token"] == "x"
