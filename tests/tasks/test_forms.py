"""Forms from what providers declare: read like the file, every mistake beside its field."""

import pytest

from tasks import forms, forms_made
from tasks.declare_sources import Addresses
from tasks.providers import table
from tests.world import NOON

PROVIDERS = table()
PUBLIC = Addresses(private=False)
ANY = Addresses(private=True, loopback=True)
GOOD = {"url": "https://bem.example.org/api/v0", "email": "a@example.org", "password": "canary-1"}


def read(given, *, provider="bemserver", addresses=PUBLIC, **more):
    """A source of a form."""
    more = {"name": "plant", "username": "alice"} | more
    return forms.source(PROVIDERS[provider], given, addresses=addresses, now=NOON, **more)


def of(provider):
    """The fields of a provider's form by name."""
    return {field.name: field for field in forms_made.of_provider(PROVIDERS[provider]).fields}


def test_each_provider_has_a_form():
    """What has to be given comes first; secrets are secrets, choices have all that may be given."""
    for name in PROVIDERS:
        made = forms_made.of_provider(PROVIDERS[name])
        assert made.about
        needed = [field.required for field in made.fields]
        assert needed == sorted(needed, reverse=True)
        secrets = {field.name for field in made.fields if field.kind == "secret"}
        assert secrets == PROVIDERS[name].settings.secrets()
    assert of("bmparts")["language"].choices == ("uk", "ru")
    assert of("bmparts")["key_made"].kind == "day"
    assert of("bime")["token_in_query"].kind == "flag"
    assert of("bime")["url"].default.startswith("https://")
    assert forms_made.of_provider(PROVIDERS["bime"]).browser is True


def test_a_form_declares_what_a_file_would():
    """Plain settings and secrets apart, numbers as numbers, what was left empty left out."""
    declared, mistakes = read(GOOD)
    assert mistakes == {}
    assert declared.settings == {"url": GOOD["url"], "email": GOOD["email"]}
    assert declared.credentials == {"password": "canary-1"}
    declared, _ = read(
        {"api_key": "canary-key", "reserve": "7", "key_made": "2026-11-01", "counterparty": " "},
        provider="bmparts",
    )
    assert (declared.settings["reserve"], declared.key_made) == (7, 1793491200.0)
    assert "counterparty" not in declared.settings


def test_every_mistake_is_told_beside_its_field():
    """All at once, and without what was typed as a secret."""
    declared, mistakes = read({"url": "ftp://x", "password": "canary-2"}, name="my plant!")
    assert declared is None
    assert set(mistakes) == {"name", "url", "email"}
    assert "canary" not in str(mistakes)
    _, mistakes = read({"access_token": "canary-3", "client_id": "x"}, provider="bime")
    assert set(mistakes) == {forms.ALL}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/api/v0",
        "https://localhost/api/v0",
        "https://10.0.0.1/api/v0",
        "https://169.254.169.254/api/v0",
        "https://[::1]/api/v0",
        "http://bem.example.org/api/v0",
    ],
)
def test_addresses_that_are_not_public_are_refused(url):
    """Also those of the machine itself, which an operator may name."""
    declared, mistakes = read(GOOD | {"url": url})
    assert declared is None
    assert set(mistakes) == {"url"}
    if "127" in url or "10." in url:
        assert read(GOOD | {"url": "http://127.0.0.1/api/v0"}, addresses=ANY)[1] == {}


def test_a_secret_that_was_left_empty_stays():
    """Unless it would go to another address than the one that it was entered for."""
    stored = {
        "before": {"url": GOOD["url"], "email": GOOD["email"]},
        "secrets": {"password": "canary-4"},
    }
    declared, mistakes = read(GOOD | {"password": "", "email": "b@example.org"}, **stored)
    assert (mistakes, declared.credentials) == ({}, {"password": "canary-4"})
    moved = GOOD | {"password": "", "url": "https://elsewhere.example.org/api/v0"}
    declared, mistakes = read(moved, **stored)
    assert declared is None
    assert "enter this again" in mistakes["password"]
    assert read(moved | {"password": "canary-5"}, **stored)[1] == {}


def test_parameters_of_a_metric():
    """An id is a number, a name is text; what does not fit together is told as one."""
    metric = PROVIDERS["bemserver"].metrics["timeseries_aggregate"]
    values, mistakes = forms.params(metric, {"timeseries": "17", "campaign": ""})
    assert (values["timeseries"], mistakes) == (17, {})
    values, mistakes = forms.params(metric, {"timeseries": "Main"})
    assert values is None
    assert "campaign" in mistakes[forms.ALL]
    assert set(forms.params(metric, {})[1]) == {"timeseries"}
    assert set(forms.params(metric, {"timeseries": "1", "aggregation": "best"})[1]) == {
        "aggregation"
    }


def test_when_and_how_a_feed_is_sent():
    """As in the file: a day, a pace, a choice; what is wrong with each is told."""
    good = {"goal": "Energy", "since": "2026-11-19", "every": "15m", "corrections": "never"}
    values, mistakes = forms.feed(good | {"keep": "1"}, now=NOON)
    assert mistakes == {}
    assert (values["goal"], values["since"], values["every"]) == ("energy", "20261119", 900.0)
    assert values["options"]["corrections"] == "never"
    assert values["options"]["datasource"] == "keep"
    _, mistakes = forms.feed(
        {"goal": "", "label": "a b", "since": "x", "every": "1s", "corrections": "?"}, now=NOON
    )
    assert set(mistakes) == {"goal", "label", "since", "every", "corrections"}
    _, mistakes = forms.feed(good | {"since": "2027-01-01"}, now=NOON)
    assert "future" in mistakes["since"]
