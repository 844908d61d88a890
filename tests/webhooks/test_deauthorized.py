"""De-authorization: 200 once stored, and the token itself stored nowhere."""

import pytest

PATH = "/beeminder/deauthorized/path-secret-1"
TOKEN = "canary-token-of-alice"


@pytest.mark.parametrize(
    "request_options",
    [
        {"data": {"access_token": TOKEN}},
        {"json": {"access_token": TOKEN}},
        {"params": {"access_token": TOKEN}},
    ],
)
def test_known_or_not_is_200_once_stored(serving, request_options):
    """Only what finds the token's owner is stored, under every key of the ring."""
    response = serving.client.post(PATH, **request_options)

    assert response.status_code == 200
    [event] = serving.events()
    assert event.kind == "deauthorized"
    assert event.payload == {"token_hashes": serving.vault.fingerprints(TOKEN)}
    assert len(event.payload["token_hashes"]) == 2


@pytest.mark.parametrize(
    "values",
    [{}, {"access_token": ""}, {"access_token": ["x"]}, {"access_token": "x" * 513}],
)
def test_without_a_token_is_400(serving, values):
    """A call that names no token is malformed and leaves nothing."""
    response = serving.client.post(PATH, json=values)

    assert response.status_code == 400
    assert response.json()["error"]["details"] == {"field": "access_token"}
    assert serving.events() == []


def test_not_stored_is_503(serving):
    """A de-authorization that cannot be stored has to come again."""
    with serving.ledger.write() as session:
        session.connection().exec_driver_sql("DROP TABLE cover")
        session.connection().exec_driver_sql("DROP TABLE event")

    response = serving.client.post(PATH, data={"access_token": TOKEN})

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert TOKEN not in response.text
