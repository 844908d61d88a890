"""A bearer token is shown in one place, and seen nowhere else."""

from clients.bearer import bearer


def test_a_token_is_in_the_header_and_in_no_text() -> None:
    """The scheme as all vendors read it; the token is known as a secret, bare and with it."""
    shown = bearer("canary-token")
    assert shown.headers == {"Authorization": "Bearer canary-token"}
    assert (shown.query, shown.form, shown.json) == ({}, {}, {})
    assert "canary-token" in shown.secrets()
    assert "canary" not in repr(shown)
