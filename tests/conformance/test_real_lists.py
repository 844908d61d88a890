"""What our client assumes about lists, paging and validators, asked of the real BEMServer."""

import json

import pytest

OURS = 13
"""How many series of the seed Bob may see."""


@pytest.fixture
def fetch(bem, http, bob):
    def fetch(path, headers=None, **query):
        return http.get(bem.url + path, params=query or None, headers=bob | (headers or {}))

    return fetch


def test_pages_join_to_the_whole_list(fetch):
    """Sorted by name, the pages hold each visible series once; X-Pagination counts them."""
    names, page = [], 1
    while True:
        answer = fetch("/timeseries/", sort="name", page=page, page_size=5)
        told = json.loads(answer.headers["X-Pagination"])
        assert (told["total"], told["total_pages"], told["page"]) == (OURS, 3, page)
        names += [item["name"] for item in answer.json()]
        if "next_page" not in told:
            break
        page = told["next_page"]
    assert len(names) == len(set(names)) == OURS
    assert "Foreign meter" not in names
    assert "Roof sun" not in names


def test_a_page_past_the_end_is_empty(fetch):
    """Past the end there is an empty list and no page to go on to."""
    answer = fetch("/timeseries/", sort="name", page=9, page_size=100)
    assert (answer.status_code, answer.json()) == (200, [])
    assert "next_page" not in json.loads(answer.headers["X-Pagination"])


@pytest.mark.parametrize("query", [{"page_size": 101}, {"page": 0}, {"sort": "+name"}])
def test_what_cannot_be_listed_is_refused(fetch, query):
    """At most 100 a page, from page 1 on; a plus sign that arrives encoded is fine."""
    status = 200 if "sort" in query else 422
    assert fetch("/timeseries/", **query).status_code == status


def test_an_item_leaves_out_what_is_null(fetch):
    """A series has these fields; a description that is null is absent."""
    assert fetch("/timeseries/1").json() == {
        "id": 1,
        "name": "Elec main meter",
        "description": "hourly, both clock changes",
        "unit_symbol": "kWh",
        "campaign_id": 1,
        "campaign_scope_id": 1,
    }
    assert "description" not in fetch("/timeseries/2").json()


def test_a_series_is_found_by_its_exact_name(fetch):
    """The name filter takes spaces and signs, and matches the whole name only."""
    for name, found in (('Été, "100 %" / A&B + #1?', [4]), ("Elec main meter", [1]), ("Elec", [])):
        answer = fetch("/timeseries/", name=name, campaign_id=1)
        assert [item["id"] for item in answer.json()] == found


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/timeseries/15", 403),
        ("/timeseries/999", 404),
        ("/timeseries/?campaign_id=2", 403),
        ("/nothing/", 404),
        ("/timeseries", 308),
        ("/timeseries_data/aggregate/", 404),
    ],
)
def test_statuses_of_paths(fetch, path, status):
    """Foreign is 403, unknown 404, a forgotten slash 308, a slash too many 404."""
    assert fetch(path).status_code == status


@pytest.mark.parametrize(
    "path",
    ["/timeseries/?sort=name", "/timeseries/1", "/timeseries_data_states/", "/campaigns/"],
)
def test_a_strong_tag_saves_the_body(fetch, path):
    """The ETag in If-None-Match gives 304 without body; another or a weak one gives all."""
    first = fetch(path)
    tag = first.headers["ETag"]
    same = fetch(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    assert "ETag" not in same.headers
    for other in ('"0"', f"W/{tag}"):
        again = fetch(path, headers={"If-None-Match": other})
        assert (again.status_code, again.json()) == (200, first.json())


def test_the_two_data_states_of_a_new_database(fetch):
    """Raw is 1 and Clean is 2."""
    answer = fetch("/timeseries_data_states/")
    assert answer.json() == [{"id": 1, "name": "Raw"}, {"id": 2, "name": "Clean"}]


def test_campaigns_that_one_may_see(fetch):
    """Foreign campaigns are left out silently."""
    assert [item["name"] for item in fetch("/campaigns/").json()] == ["Paris plant"]
