"""The requests that the real BEMServer and the simulated one must answer alike."""

import itertools
import json
from dataclasses import dataclass, field
from urllib.parse import urlencode

JSON, CSV = {"Accept": "application/json"}, {"Accept": "text/csv"}
MARCH = {"start_time": "2026-03-27T00:00:00Z", "end_time": "2026-04-01T00:00:00Z"}
OCTOBER = {"start_time": "2026-10-23T00:00:00Z", "end_time": "2026-10-28T00:00:00Z"}
MAY = {"start_time": "2026-05-01T00:00:00Z", "end_time": "2026-05-02T00:00:00Z"}
EVER = {"start_time": "1970-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}
PARIS = {"timezone": "Europe/Paris"}
NAME = 'Été, "100 %" / A&B + #1?'
LOGIN = {"email": "bob@bem.test", "password": "bob-pw-1"}


@dataclass(frozen=True)
class Ask:
    """One request; `who` is an email, a raw Authorization after `=`, or None for none at all."""

    path: str
    who: str | None = "bob@bem.test"
    kind: str = "access"
    expires_in: int = 900
    method: str = "GET"
    headers: dict = field(default_factory=dict)
    body: bytes | None = None


def read(where="", headers=JSON, who="bob@bem.test", **query):
    query = {"timeseries": 1, "data_state": 1, **MARCH, **query}
    query = {name: value for name, value in query.items() if value is not None}
    return Ask(f"/timeseries_data/{where}?{urlencode(query, doseq=True)}", who, headers=headers)


def bucket(where="", headers=JSON, **query):
    width = {"bucket_width_value": 1, "bucket_width_unit": "day", "aggregation": "sum"}
    return read(f"{where}aggregate", headers, **{**width, **query})


def post(path, body=None, **others):
    text = json.dumps(body).encode() if isinstance(body, dict | list) else body
    headers = {"Content-Type": "application/json"} | others.pop("headers", {})
    return Ask(path, method="POST", body=text, headers=headers, **others)


def login(**fields):
    return post("/auth/token", LOGIN | fields, who=None)


def listed(**query):
    return Ask(f"/timeseries/?{urlencode({'sort': 'name', **query})}", headers=JSON)


LOGINS = {
    "login": login(),
    "login, wrong password": login(password="no"),
    "login, unknown user": login(email="no@bem.test"),
    "login, inactive user": login(email="gone@bem.test", password="gone-pw-1"),
    "login, no e-mail address": login(email="bob"),
    "login, empty password": login(password=""),
    "login, long password": login(password="x" * 81),
    "login, not text": login(password=5),
    "login, null": login(password=None),
    "login, extra field": login(extra=1),
    "login, half": post("/auth/token", {"email": "bob@bem.test"}, who=None),
    "login, list": post("/auth/token", [], who=None),
    "login, broken": post("/auth/token", b"{", who=None),
    "login, empty body": post("/auth/token", b"", who=None),
    "login, form": post(
        "/auth/token",
        b"email=bob%40bem.test",
        who=None,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "login by GET": Ask("/auth/token", None),
    "login with a slash": post("/auth/token/", LOGIN, who=None),
    "refresh": post("/auth/token/refresh", kind="refresh"),
    "refresh, expired": post("/auth/token/refresh", kind="refresh", expires_in=-2),
    "refresh, expired and wrong kind": post("/auth/token/refresh", expires_in=-2),
    "refresh by access token": post("/auth/token/refresh"),
    "refresh, nobody": post("/auth/token/refresh", who=None),
    "refresh, inactive": post("/auth/token/refresh", who="gone@bem.test", kind="refresh"),
}
REFUSALS = {
    "nobody": Ask("/timeseries/", None),
    "expired": Ask("/timeseries/", expires_in=-2),
    "refresh token": Ask("/timeseries/", kind="refresh"),
    "unknown user": Ask("/timeseries/", "no@bem.test"),
    "inactive user": Ask("/timeseries/", "gone@bem.test"),
    "garbage": Ask("/timeseries/", "=Bearer garbage"),
    "three garbage parts": Ask("/timeseries/", "=Bearer a.b.c"),
    "two spaces": Ask("/timeseries/", "=Bearer  x"),
    "lowercase scheme": Ask("/timeseries/", "=bearer x"),
    "no space": Ask("/timeseries/", "=Bearer"),
    "basic": Ask("/timeseries/", "=Basic Ym9iOmI="),
    "nobody, bad query": Ask("/timeseries/?page=0", None),
    "unknown path": Ask("/nothing/"),
    "forgotten slash": Ask("/timeseries"),
    "forgotten slash, query": Ask("/timeseries?sort=name&page=2"),
    "a slash too many": Ask("/timeseries_data/aggregate/"),
    "about": Ask("/about/", None),
}
LISTS = {
    "list": listed(),
    "list, page 2": listed(page=2),
    "list, page 3": listed(page=3),
    "list, middle page": listed(page=2, page_size=5),
    "list, all": listed(page_size=100),
    "list, descending": listed(sort="-name"),
    "list, encoded plus": listed(sort="+name"),
    "list, by id": listed(sort="id"),
    "list, too big a page": listed(page_size=101),
    "list, page 0": listed(page=0),
    "list, page x": listed(page="x"),
    "list, by name": listed(name=NAME),
    "list, by part of the name": listed(in_name="SPARE"),
    "list, by unit": listed(unit_symbol="kWh"),
    "list, of oneself": listed(user_id=2),
    "list, of another": listed(user_id=1),
    "list, of nobody": listed(user_id=99),
    "list, unknown scope": listed(campaign_scope_id=99),
    "list, by campaign": listed(campaign_id=1),
    "list, foreign campaign": listed(campaign_id=2),
    "list, unknown campaign": listed(campaign_id=99),
    "list, scope": listed(campaign_scope_id=1),
    "list, foreign scope": listed(campaign_scope_id=3),
    "list, unknown argument": listed(nonsense=1),
    "list, two places": listed(site_id=1, recurse_site_id=1),
    "list of the admin": Ask("/timeseries/?sort=name&page_size=100", "ada@bem.test"),
    "item": Ask("/timeseries/1"),
    "item without description": Ask("/timeseries/2"),
    "item, odd name": Ask("/timeseries/4"),
    "item, other scope": Ask("/timeseries/14"),
    "item, foreign": Ask("/timeseries/15"),
    "item, unknown": Ask("/timeseries/999"),
    "item, no number": Ask("/timeseries/x"),
    "states": Ask("/timeseries_data_states/"),
    "campaigns": Ask("/campaigns/"),
    "campaigns of the admin": Ask("/campaigns/", "ada@bem.test"),
    "campaign": Ask("/campaigns/1"),
    "campaign, foreign": Ask("/campaigns/2"),
    "users": Ask("/users/"),
    "users of the admin": Ask("/users/", "ada@bem.test"),
}
DATA = {
    "data": read(),
    "data, csv": read(headers=CSV),
    "data, several": read(timeseries=[2, 1, 3]),
    "data, several, csv": read(headers=CSV, timeseries=[2, 1, 3]),
    "data, series twice": read(timeseries=[1, 1], **MAY),
    "data, none": read(timeseries=3),
    "data, none, csv": read(headers=CSV, timeseries=3),
    "data, Paris": read(**PARIS, **OCTOBER),
    "data, Paris, csv": read(headers=CSV, **PARIS, **OCTOBER),
    "data, half-hour zone": read(timezone="Asia/Kolkata"),
    "data, clean": read(data_state=2),
    "data, fractions": read(timeseries=5, **MAY),
    "data, fractions, csv": read(headers=CSV, timeseries=5, **MAY),
    "data, infinity": read(timeseries=6, **MAY),
    "data, infinity, csv": read(headers=CSV, timeseries=6, **MAY),
    "data, reversed": read(start_time=MARCH["end_time"], end_time=MARCH["start_time"]),
    "data, offset": read(start_time="2026-03-28T02:00:00+02:00"),
    "data, by name": read("campaign/1/", timeseries=[NAME, "Elec main meter"], **EVER),
    "data, by name, csv": read("campaign/1/", CSV, timeseries=[NAME, "Temp with gap"], **EVER),
    "data, converted": read(timeseries=[1, 2], convert_to=["Wh", ""]),
    "data, converted, fahrenheit": read(timeseries=2, convert_to="°F"),
    "data, accept all": read(headers={"Accept": "*/*"}),
    "data, accept list": read(headers={"Accept": "text/csv, application/json"}),
    "data, not a fit": read(convert_to="°C"),
    "data, unknown unit": read(convert_to="parsecs_per_bee"),
    "data, too many units": read(convert_to=["Wh", "Wh"]),
    "data, foreign": read(timeseries=15),
    "data, other scope": read(timeseries=[1, 14]),
    "data, unknown": read(timeseries=[1, 999, 1000]),
    "data, comma": read(timeseries="1,2"),
    "data, no series": read(timeseries=None),
    "data, nothing asked": Ask("/timeseries_data/"),
    "data, unknown state": read(data_state=99),
    "data, naive": read(start_time="2026-03-27T00:00:00"),
    "data, date": read(start_time="2026-03-27"),
    "data, no instant": read(end_time="soon"),
    "data, before all time": read(start_time="1500-01-01T00:00:00Z"),
    "data, unknown zone": read(timezone="Mars/Base"),
    **{
        f"data, zone {zone}": read(timezone=zone)
        for zone in ("UTC", "Etc/GMT+5", "EST", "US/Pacific", "Asia/Calcutta", "Europe/Kyiv", "")
    },
    "data, offset of 25 hours": read(start_time="2026-03-27T00:00:00+25:00"),
    "data, unknown name": read("campaign/1/", timeseries="No such"),
    "data, foreign campaign": read("campaign/2/", timeseries="Foreign meter"),
    "data, unknown campaign": read("campaign/99/", timeseries="x"),
    "data, several errors": read(timeseries="x", start_time="y", data_state="z", timezone="q"),
    "data, if-none-match": read(headers=JSON | {"If-None-Match": "*"}),
    "data, admin": read(who="ada@bem.test", timeseries=15),
}
BUCKETS = {
    "buckets, csv": bucket(headers=CSV, timeseries=[1, 2, 3]),
    "buckets, count, csv": bucket(headers=CSV, timeseries=[1, 2, 3], aggregation="count"),
    "buckets, default": bucket(aggregation=None),
    "buckets, gap, hours": bucket(timeseries=[2, 3], bucket_width_unit="hour"),
    "buckets, infinity": bucket(timeseries=6, **MAY),
    "buckets, widened": bucket(start_time="2026-03-28T10:00:00Z", end_time="2026-03-28T11:00:00Z"),
    "buckets, reversed": bucket(start_time=MARCH["end_time"], end_time=MARCH["start_time"]),
    "buckets, by name": bucket("campaign/1/", timeseries=["Temp with gap", NAME]),
    "buckets, by name, csv": bucket("campaign/1/", CSV, timeseries=["Temp with gap", NAME]),
    "buckets, converted": bucket(convert_to="Wh"),
    "buckets, not a fit": bucket(convert_to="°C"),
    "buckets, two days": bucket(bucket_width_value=2),
    "buckets, none wide": bucket(bucket_width_value=0),
    "buckets, two hours": bucket(bucket_width_value=2, bucket_width_unit="hour"),
    "buckets, unknown unit": bucket(bucket_width_unit="fortnight"),
    "buckets, unknown function": bucket(aggregation="last"),
    "buckets, no width": bucket(bucket_width_value=None, bucket_width_unit=None),
    "buckets, foreign": bucket(timeseries=15),
    "buckets, unknown": bucket(timeseries=999),
    "buckets, half-hour zone": bucket(timezone="Asia/Kolkata"),
    "buckets, Lord Howe": bucket(timezone="Australia/Lord_Howe"),
    "buckets, minutes": bucket(
        bucket_width_unit="minute",
        start_time="2026-03-29T00:58:00Z",
        end_time="2026-03-29T01:02:00Z",
        **PARIS,
    ),
    "buckets, seconds": bucket(
        timeseries=5,
        bucket_width_unit="second",
        start_time="2026-04-30T23:59:59Z",
        end_time="2026-05-01T00:00:02Z",
    ),
    **{
        # Midnight is skipped or comes twice, or PostgreSQL takes the name for an abbreviation.
        f"buckets, {unit}, {zone} from {start[:10]}": bucket(
            timeseries=[1, 2], bucket_width_unit=unit, timezone=zone, start_time=start, end_time=end
        )
        for unit in ("hour", "day", "week", "month")
        for zone, start, end in (
            ("CET", "2026-03-28T00:00:00Z", "2026-04-02T00:00:00Z"),
            ("WET", "2026-10-23T00:00:00Z", "2026-10-28T00:00:00Z"),
            ("EST", "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z"),
            ("Atlantic/Azores", "2026-03-28T06:00:00Z", "2026-03-31T06:00:00Z"),
            ("Atlantic/Azores", "2026-03-29T06:00:00Z", "2026-03-31T06:00:00Z"),
            ("Atlantic/Azores", "2026-10-24T06:00:00Z", "2026-10-27T06:00:00Z"),
            ("Atlantic/Azores", "2026-10-25T06:00:00Z", "2026-10-27T06:00:00Z"),
            ("America/Santiago", "2026-09-05T06:00:00Z", "2026-09-08T06:00:00Z"),
        )
    },
    **{
        f"buckets, {unit}, {function}, {when}": bucket(
            bucket_width_unit=unit, aggregation=function, **PARIS, **span
        )
        for unit, function, (when, span) in itertools.product(
            ("hour", "day", "week", "month", "year"),
            ("sum", "avg", "min", "max", "count"),
            (("spring", MARCH), ("autumn", OCTOBER)),
        )
    },
}
ASKED = LOGINS | REFUSALS | LISTS | DATA | BUCKETS
