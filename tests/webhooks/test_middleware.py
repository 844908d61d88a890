"""Around every request: an id, and no traceback for anybody."""

import pytest


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/", "/static/style.css"])
def test_every_answer_has_an_id(serving, path):
    """Also those that nobody asked for by id."""
    ids = {serving.client.get(path).headers["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3


def test_a_given_id_is_kept(serving):
    """A proxy's id stands on the answer, so that both logs can be joined."""
    given = "Proxy_1.a-" + "b" * 54
    response = serving.client.get("/healthz", headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["a" * 65, "a b", "a\tb", "\u00e4".encode("latin-1"), "a;b", ""])
def test_an_odd_id_is_replaced(serving, given):
    """What could break a log line or a header is not repeated."""
    response = serving.client.get("/healthz", headers={"X-Request-Id": given})

    assert response.headers["X-Request-Id"] not in (given, "")


def test_our_own_mistakes_are_500_without_a_word_of_the_cause(serving, monkeypatch, capfd):
    """Neither the caller nor the log gets the text of the error: it may repeat what was sent."""

    def broken(_token):
        message = "canary in the error"
        raise KeyError(message)

    monkeypatch.setattr(serving.services, "identify", broken)
    location = serving.client.get("/beeminder/connect").headers["Location"]
    response = serving.client.get(
        "/beeminder/callback",
        params={"state": location.partition("state=")[2], "access_token": "canary-token"},
    )

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert response.headers["X-Request-Id"]
    logged = capfd.readouterr()
    assert "request.failed" in logged.out
    assert "KeyError" in logged.out
    assert "canary" not in response.text + logged.out + logged.err
