"""What our client assumes about reading samples, asked of the real BEMServer."""

import csv
import io
import json
import math
from datetime import datetime

import pytest

ELEC, GAP, EMPTY, ODD, FRACTIONS, OVERFLOW = 1, 2, 3, 4, 5, 6
ROOF, FOREIGN = 14, 15
PARIS = "Europe/Paris"
MARCH = {"start_time": "2026-03-27T00:00:00Z", "end_time": "2026-04-01T00:00:00Z"}
MAY = {"start_time": "2026-05-01T00:00:00Z", "end_time": "2026-05-02T00:00:00Z"}
EVER = {"start_time": "1970-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}


@pytest.fixture
def read(bem, http, bob):
    def read(timeseries, accept="application/json", path="/timeseries_data/", **query):
        query = {"timeseries": timeseries, "data_state": 1, **query}
        return http.get(bem.url + path, params=query, headers=bob | {"Accept": accept})

    return read


def seeded(bem, name, state="Raw"):
    return dict(bem.seed.series[bem.seed.series_id(name) - 1].samples[state])


def by_instant(values):
    return {datetime.fromisoformat(stamp).timestamp(): value for stamp, value in values.items()}


def test_json_gives_back_what_was_stored(bem, read):
    """Every stored sample of the asked range comes back once, keyed by id and instant."""
    answer = read(ELEC, **EVER)
    assert answer.headers["Content-Type"] == "application/json"
    assert by_instant(answer.json()["1"]) == seeded(bem, "Elec main meter")


def test_the_end_is_left_out(read):
    """A range holds its start and not its end, so that chunks join without a double."""
    chunk = {"start_time": "2026-03-27T00:00:00Z", "end_time": "2026-03-27T02:00:00Z"}
    assert list(read(ELEC, **chunk).json()["1"]) == [
        "2026-03-27T00:00:00+00:00",
        "2026-03-27T01:00:00+00:00",
    ]


def test_csv_holds_the_same_values(read):
    """CSV names instants with an offset without colon, and leaves a cell empty for no value."""
    answer = read([ELEC, GAP, EMPTY], accept="text/csv", **MARCH)
    assert answer.headers["Content-Type"].startswith("text/csv")
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == ["Datetime", "1", "2", "3"]
    assert rows[0] == ["2026-03-27T00:00:00+0000", "1.0", "20.0", ""]
    as_json = read([ELEC, GAP, EMPTY], **MARCH).json()
    for column, name in ((1, "1"), (2, "2")):
        told = {row[0]: float(row[column]) for row in rows if row[column]}
        assert by_instant(told) == by_instant(as_json[name])
    assert {row[3] for row in rows} == {""}


def test_a_series_without_samples_is_absent(read):
    """JSON leaves out a series that has nothing in the range; it is no error."""
    assert set(read([ELEC, EMPTY], **MARCH).json()) == {"1"}
    assert read([EMPTY], **MARCH).json() == {}


def test_data_states_are_apart(bem, read):
    """Each data state has samples of its own."""
    answer = read(ELEC, **EVER, data_state=2)
    assert by_instant(answer.json()["1"]) == seeded(bem, "Elec main meter", "Clean")


def test_names_with_spaces_and_signs_find_their_series(bem, read):
    """By name, spaces, accents and signs reach the server when they are encoded."""
    name = bem.seed.series[ODD - 1].name
    answer = read([name, "Elec main meter"], path="/timeseries_data/campaign/1/", **EVER)
    assert answer.json()[name] == {"1970-01-01T00:00:00+00:00": 1.0}
    assert by_instant(answer.json()["Elec main meter"]) == seeded(bem, "Elec main meter")


def test_fractions_of_a_second_are_in_json_only(read):
    """JSON keeps microseconds; CSV drops them, so rows may share a stamp."""
    assert list(read(FRACTIONS, **MAY).json()["5"]) == [
        "2026-05-01T00:00:00.250000+00:00",
        "2026-05-01T00:00:00.750000+00:00",
        "2026-05-01T00:00:01+00:00",
    ]
    rows = read(FRACTIONS, accept="text/csv", **MAY).text.split()[1:]
    assert [row.split(",")[0] for row in rows] == ["2026-05-01T00:00:00+0000"] * 2 + [
        "2026-05-01T00:00:01+0000"
    ]


def test_infinity_comes_as_a_bare_word(read):
    """An infinite value makes the body invalid JSON: a strict parser must not be used."""
    text = read(OVERFLOW, **MAY).text
    assert '"2026-05-01T00:00:00+00:00": Infinity' in text
    assert json.loads(text)["6"]["2026-05-01T00:00:00+00:00"] == math.inf


def test_the_zone_changes_stamps_and_not_instants(read):
    """With a zone the stamps carry its offset; the clock changes tell 02:00 apart by it."""
    plain, zoned = read(ELEC, **EVER).json()["1"], read(ELEC, **EVER, timezone=PARIS).json()["1"]
    assert by_instant(zoned) == by_instant(plain)
    assert "2026-10-25T02:00:00+02:00" in zoned
    assert "2026-10-25T02:00:00+01:00" in zoned
    assert not any(stamp.startswith("2026-03-29T02") for stamp in zoned)


def test_units_are_converted(read):
    """`convert_to` is repeated once per series; an empty one keeps the unit."""
    one_hour = {"start_time": "2026-03-27T04:00:00Z", "end_time": "2026-03-27T05:00:00Z"}
    answer = read([ELEC, GAP], **one_hour, convert_to=["Wh", ""])
    assert answer.json() == {
        "1": {"2026-03-27T04:00:00+00:00": 2000.0},
        "2": {"2026-03-27T04:00:00+00:00": 19.5},
    }


def test_samples_have_no_etag(read):
    """Samples carry no validator, so nothing of them may be remembered by one."""
    assert "ETag" not in read(ELEC, **MARCH).headers


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"timeseries": FOREIGN}, 403),
        ({"timeseries": ROOF}, 403),
        ({"timeseries": 999}, 422),
        ({"timeseries": "1,2"}, 422),
        ({"data_state": 99}, 422),
        ({"start_time": "2026-03-27T00:00:00"}, 422),
        ({"timezone": "Mars/Base"}, 422),
        ({"convert_to": "°C"}, 422),
        ({"convert_to": ["Wh", "Wh"]}, 422),
    ],
)
def test_what_cannot_be_read_is_refused(read, query, status):
    """A foreign, unknown or malformed question has its own status and a JSON body that says so."""
    answer = read(**{"timeseries": ELEC, **MARCH, **query})
    assert answer.status_code == status
    assert answer.json()["code"] == status


def test_an_unknown_campaign_is_not_found(read):
    """Reading by name tells an unknown campaign (404), a foreign one (403), a name (422) apart."""
    statuses = [
        read(name, path=f"/timeseries_data/campaign/{campaign}/", **MARCH).status_code
        for campaign, name in ((99, "Elec main meter"), (2, "Foreign meter"), (1, "No such"))
    ]
    assert statuses == [404, 403, 422]


def test_samples_added_later_are_read_and_replaced(bem, read):
    """The launcher adds samples while the server runs; only `replace` changes one that is there."""
    spare = bem.seed.series_id("Spare 01")
    at = datetime.fromisoformat("2026-07-01T00:00:00+00:00").timestamp()
    for value, replace, kept in ((1.0, False, 1.0), (2.0, False, 1.0), (3.0, True, 3.0)):
        bem.add_samples(spare, [(at, value), (at + 0.5, value)], replace=replace)
        assert by_instant(read(spare, **EVER).json()[str(spare)]) == {at: kept, at + 0.5: kept}
    bem.delete_samples(spare, start=at, end=at + 1)
    assert read(spare, **EVER).json() == {}
