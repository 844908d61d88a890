"""What a source and a feed of BM Parts may say, and what makes the id of its datapoints."""

import hashlib

import httpx
import pytest
from pydantic import ValidationError

from clients import bmparts_paths
from clients.gate import Open
from tasks import providers
from tasks.limits import Limit
from tasks.metrics import bmparts
from tasks.metrics.bmparts import Settings
from tasks.metrics.bmparts_params import Documents, Searches, Total, Value
from tasks.metrics.bmparts_params import Open as OpenNow
from tasks.providers import Link, SourceSettings

KEY = "5a1f0b9e-canary-key.0123456789abcdef"


def settings(**more: object) -> Settings:
    """A source's settings."""
    return Settings(**({"api_key": KEY} | more))


def complaint(error: ValidationError) -> str:
    """What a person reads of it."""
    return error.errors(include_url=False, include_input=False)[0]["msg"]


def test_only_the_key_is_needed() -> None:
    """The address is known, and the key is a secret wherever it is shown."""
    made = settings()
    assert (made.url, made.language, made.reserve) == ("https://api.bm.parts", "uk", 500)
    assert Settings.secrets() == {"api_key"}
    assert KEY not in repr(made) + str(made.model_dump())
    assert made.open_url() == made.url
    assert made.addresses() == {"url": made.url}


def test_the_account_is_no_key() -> None:
    """It stands in every id: next year's key, another language or a slash more change nothing."""
    account = settings().account()
    assert account == "https://api.bm.parts|"
    for same in (
        {"api_key": "another.key"},
        {"language": "ru"},
        {"reserve": 0},
        {"url": "https://api.bm.parts/"},
        {"counterparty": " "},
    ):
        assert settings(**same).account() == account
    assert settings(counterparty="Kyiv").account() == "https://api.bm.parts|Kyiv"
    assert settings(url="https://other.test").account() != account


def test_the_quota_is_of_the_key_and_does_not_show_it() -> None:
    """Two sources with one key share it; what is stored and shown holds nothing of the key."""
    (quota,) = settings().quotas()
    assert quota.limit == Limit(requests=10_000, seconds=3600.0, reserve=500)
    (same,) = settings(counterparty="Kyiv", language="ru", url="https://api.bm.parts/").quotas()
    (other,) = settings(api_key="another.key").quotas()
    assert quota.key("bmparts") == same.key("bmparts") != other.key("bmparts")
    for part in (KEY, *KEY.split("."), hashlib.sha256(KEY.encode()).hexdigest()):
        assert part not in repr(quota) + quota.key("bmparts")
    assert not quota.plain


@pytest.mark.parametrize("reserve", [0, 9_999])
def test_what_is_left_to_others(reserve: int) -> None:
    """The rest of the hour is ours, evenly."""
    (quota,) = settings(reserve=reserve).quotas()
    assert quota.limit is not None
    ours = 10_000 - reserve
    assert 3600.0 / ours <= quota.pace().interval <= 3600.1 / max(1, ours - 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": ""},
        {"api_key": f"Bearer {KEY}"},
        {"api_key": f"{KEY}\n"},
        {"api_key": f" {KEY}"},
        {"api_key": "ключ"},
        {"language": "en"},
        {"reserve": -1},
        {"reserve": 10_000},
        {"token": "x"},
        {"account": "x"},
    ],
)
def test_settings_that_can_not_be_meant(wrong: dict) -> None:
    """Refused, and the key is in no complaint."""
    with pytest.raises(ValidationError) as caught:
        settings(**wrong)
    assert KEY not in complaint(caught.value) + str(caught.value)


def test_a_key_that_was_copied_badly_says_what_to_do() -> None:
    """The sentence names the page where keys are made."""
    with pytest.raises(ValidationError) as caught:
        settings(api_key=f"Bearer {KEY}")
    assert "copy it from login.bm.parts/api/" in complaint(caught.value)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize(
    ("given", "code"), [("00003A4D", "00003A4D"), (" 00003a4d ", "00003A4D"), (None, None)]
)
def test_kinds_of_documents(given: str | None, code: str | None) -> None:
    """One code has one spelling, and so one id."""
    made = Documents(type=given)
    assert made.type == code
    assert made.counting() == ({} if code is None else {"type": code})


@pytest.mark.parametrize("code", ["", "3A4D", "0x003A4D", "накладна", "00003A4D1", "0000-A4D"])
def test_what_is_no_kind_of_documents(code: str) -> None:
    """The sentence says where the codes are listed."""
    with pytest.raises(ValidationError) as caught:
        Documents(type=code)
    assert "`waggle source check`" in complaint(caught.value)


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        (Documents(), "total"),
        (Searches(), "total"),
        (OpenNow(), "level"),
        (Value(path="/reports/terms", pointer="/a"), "level"),
        (Total(path="/documents/grouped", pointer="/a"), "total"),
    ],
)
def test_totals_and_levels(params: providers.MetricParams, kind: str) -> None:
    """What happens on a day is a total, what is open now a level."""
    assert params.value_kind() == kind


@pytest.mark.parametrize(
    "path",
    [
        "/company/callback",
        "/processing/sync",
        "/shopping/cart/1",
        "/search/products",
        "reports/terms",
        "/reports/terms/",
        "/reports/terms?period=today",
        "https://api.bm.parts/reports/terms",
        "/reports/../company/callback",
        "",
    ],
)
def test_paths_that_are_not_asked(path: str) -> None:
    """Neither now nor of a day; the sentence lists what is."""
    with pytest.raises(ValidationError) as caught:
        Value(path=path, pointer="/a")
    assert "/reports/terms" in complaint(caught.value)
    with pytest.raises(ValidationError) as caught:
        Total(path=path, pointer="/a")
    assert "/reports/brands_turnover" in complaint(caught.value)


@pytest.mark.parametrize("path", bmparts_paths.named())
def test_only_some_paths_take_a_period(path: str) -> None:
    """Every path can be read as it is now, those of a period can be asked about a day."""
    assert Value(path=path, pointer="/a").path == path
    makers = (
        lambda: Value(path=path, pointer="/a", period=True),
        lambda: Total(path=path, pointer="/a"),
    )
    for make in makers:
        if path in bmparts_paths.PERIOD_PATHS:
            assert make().path == path
        else:
            with pytest.raises(ValidationError):
                make()


@pytest.mark.parametrize("pointer", ["", "a", "a/b", "/~", "/a/-", "$.a", "#/a"])
def test_pointers_that_name_no_number(pointer: str) -> None:
    """A sentence for each when the file is read, not when the number is due."""
    for model in (Value, Total):
        with pytest.raises(ValidationError) as caught:
            model(path="/reports/reconciliation", pointer=pointer)
        assert "pointer" in complaint(caught.value)


def test_every_parameter_is_in_the_id() -> None:
    """What decides the figure decides the id."""
    made = Value(path="/reports/terms", pointer="/terms/0/debt")
    assert made.counting() == {
        "path": "/reports/terms",
        "pointer": "/terms/0/debt",
        "period": False,
    }


def test_the_provider() -> None:
    """Its keys end, each of its feeds costs requests, and what is open now has no past."""
    provider = providers.table()["bmparts"]
    assert (provider.key_days, provider.together) == (365, providers.EACH)
    history = {name: metric.history for name, metric in provider.metrics.items()}
    assert history == {
        "documents": True,
        "searches": True,
        "open_reserves": False,
        "open_carts": False,
        "json_value": False,
        "json_total": True,
    }
    for metric in provider.metrics.values():
        for field in metric.params.model_fields.values():
            assert field.description
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_of_another_provider_are_refused() -> None:
    """A mistake in the table of providers is seen at once."""
    with httpx.Client() as http, pytest.raises(TypeError, match="not settings of BM Parts"):
        bmparts.connect(
            Link(
                settings=SourceSettings(),
                http=http,
                gate=Open(),
                tokens=lambda _a: None,
                now=lambda: 0.0,
            )
        )
