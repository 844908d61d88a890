"""Promises of `waggle notify`: what arrives is said, what does not as well, and no address is."""

import pytest

from tests.tasks.listening import listening, nobody


@pytest.fixture(name="listener")
def _listener():
    with listening() as made:
        yield made


def test_a_test_is_sent_to_each(here, listener):
    """What became of each, by its place and its service; exit status 1 if one did not arrive."""
    here.env["WAGGLE_NOTIFY"] = (
        f"{listener.url('canary-one')}, json://127.0.0.1:{nobody()}/canary-two"
    )
    done = here("notify", "--test", status=1)
    assert "address 1 (JSON): test sent" in done.stdout
    assert "address 2 (JSON): A Connection error" in done.stdout
    assert "canary" not in done.output
    assert len(listener.texts("canary-one")) == 1


def test_without_a_test_nothing_is_sent(here, listener):
    """It is only looked at."""
    here.env["WAGGLE_NOTIFY"] = listener.url("x")
    assert here.json("notify") == [{"address": 1, "service": "JSON", "ok": True, "error": None}]
    assert listener.came == []


def test_where_nothing_is_set_it_says_so(here):
    """With an example of what could be."""
    here.env.pop("WAGGLE_NOTIFY", None)
    assert "WAGGLE_NOTIFY is not set" in here.refusal("notify")


def test_the_doctor_looks_at_the_addresses(here, listener):
    """Understood or not, without sending, and without showing one."""
    here.env["WAGGLE_NOTIFY"] = f"{listener.url('canary')} nothing://canary"
    shown = [row for row in here.json("doctor", status=1) if row["what"] == "WAGGLE_NOTIFY"]
    assert [row["state"] for row in shown] == ["ok", "red"]
    assert "canary" not in f"{shown}"
    assert listener.came == []
