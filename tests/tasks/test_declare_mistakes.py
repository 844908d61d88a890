"""A file with many mistakes tells all of them at once."""

import pytest

from tests.tasks.test_declare_file import problems

MANY_MISTAKES = """
[users.alice]
token = "t-1"
[users.bob]
token = "t-2"

[sources.boards]
provider = "bime"
user = "alice"
access_tokn = "a"

[sources.boards2]
provider = "bime"
user = "alice"
access_token = "a"
client_id = "c"

[sources.shop]
provider = "bmparts"
user = "alice"

[sources.etl]
provider = "rime"
user = "bob"
tenant = "-acme"
project = "p1"
api_key = "k"
email = "e"

[feeds."alice/energy"]
source = "shop"
metric = "document"
since = 2099-01-01

[feeds."alice/rows"]
source = "etl"
metric = "rows_extracted"

[feeds."alice/lists"]
source = "boards"
metric = "records_created"
params = { resource = "dashboard" }

[feeds."alice/lists2"]
source = "plant"
metric = "records_created"
"""


@pytest.mark.parametrize(
    "told",
    [
        "sources.boards.access_tokn: unknown key; did you mean 'access_token'?",
        "sources.boards: give `access_token`, or",
        "sources.boards2: give either `access_token` or",
        "sources.shop.api_key: is missing",
        "sources.etl.tenant: has to be",
        "sources.etl: `api_key` and a login are two ways in",
        'feeds."alice/energy".since: 2099-01-01 is in the future',
        "there is no metric of bmparts called 'document'; did you mean 'documents'?",
        "feeds.\"alice/rows\".source: 'etl' is a source of bob, not alice",
        'feeds."alice/rows".params: give either `connector` or `pipeline`',
        'feeds."alice/lists".params.resource: has to be',
        "did you mean 'dashboards'?",
        "feeds.\"alice/lists2\".source: there is no source 'plant'",
    ],
)
def test_mistakes_do_not_hide_one_another(told):
    """A source that is wrong says nothing about its feeds, nor one key about another."""
    assert any(told in line for line in problems(MANY_MISTAKES))


def test_every_address_of_a_source_is_checked():
    """The secret of an app goes to the second one: not in plain http either."""
    text = """
    [users.alice]
    token = "t-1"
    [sources.boards]
    provider = "bime"
    user = "alice"
    client_id = "c"
    client_secret = "s"
    oauth_url = "http://acme.example.org"
    """
    assert [line for line in problems(text) if "sources.boards.oauth_url: is plain http" in line]
