"""Promises about the environment: read once, checked whole, told in one line each."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from worker import setting_complaints, settings
from worker.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
KEY = Fernet.generate_key().decode()


@pytest.fixture
def home(tmp_path):
    """A home that does not exist yet."""
    return tmp_path / "home"


def read(home, **given):
    """Settings of this home and these variables, and of nothing else."""
    return settings.load({"WAGGLE_HOME": str(home), **given}, dotenv=None)


def complaint(home, **given):
    """What is said when the start is refused."""
    with pytest.raises(SettingsError) as refused:
        read(home, **given)
    return str(refused.value)


def test_defaults_are_those_of_the_documentation(home):
    """Nothing but a home gives the embedded database, queue and the documented figures."""
    found = read(home)
    assert found.database_url == f"sqlite:///{home}/waggle.db"
    assert found.broker_url == "filesystem://"
    assert (found.host, found.port, found.public_url) == (
        "127.0.0.1",
        8000,
        "http://127.0.0.1:8000",
    )
    assert (found.hold_seconds, found.lookback_days, found.beeminder_rate) == (25, 2, 10)
    assert (found.failed_status, found.retention_days, found.corrections) == (503, 400, "careful")
    assert found.warnings == ()


def test_every_setting_is_documented_in_order_and_nothing_else_is():
    """The table in docs/settings.md names exactly the settings of the class, in its order."""
    table = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z_]+)`", table, re.MULTILINE)
    assert documented == [names[0] for names in setting_complaints.names(Settings).values()]
    assert set(setting_complaints.names(Settings)) == set(Settings.model_fields)


def test_every_other_name_is_documented_too():
    """Names that are accepted beside the documented ones stand in the text of the table."""
    table = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for names in setting_complaints.names(Settings).values():
        for name in names:
            assert f"`{name}`" in table


def test_every_example_is_accepted(home):
    """The example that a complaint shows would have worked."""
    for attribute, names in setting_complaints.names(Settings).items():
        example = Settings.model_fields[attribute].examples[0]
        if not example.startswith("(") and attribute != "home":
            read(home, **{names[0]: example})


def test_keys_are_made_once_and_kept_private(home):
    """The first start makes both keys (0600, in a folder of 0700), the second finds them."""
    first, second = read(home), read(home)
    assert first.secret_keys == second.secret_keys
    assert first.callback_secrets == second.callback_secrets
    Fernet(first.secret_keys[0])
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("secret.key", "callback.secret"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["callback.secret", "secret.key"]


def test_processes_that_start_at_once_agree_on_the_key(home):
    """Six processes race for the first start; all end with the same key and secret."""
    code = (
        "import sys; from worker import settings; "
        "s = settings.load({'WAGGLE_HOME': sys.argv[1]}, dotenv=None); "
        "print(s.secret_keys, s.callback_secrets)"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = {racer.communicate(timeout=60)[0] for racer in racers}
    assert len(said) == 1
    assert len(said.pop()) > len(KEY)


def test_given_keys_make_no_files(home):
    """Whoever sets the keys finds no others on disk."""
    found = read(home, WAGGLE_SECRET_KEYS=f"{KEY}, {KEY}", WAGGLE_CALLBACK_SECRETS="a" * 20)
    assert found.secret_keys == (KEY, KEY)
    assert list(home.iterdir()) == []


def test_an_empty_key_file_stops_the_start(home):
    """An empty key is told, never silently replaced: stored secrets would be lost."""
    read(home)
    (home / "secret.key").write_text("")
    assert "secret.key is empty" in complaint(home)


@pytest.mark.parametrize("name", ["secret.key", "callback.secret"])
@pytest.mark.parametrize("damage", ["rubbish /", "r\u00fcbbish", None])
def test_a_damaged_key_file_stops_the_start(home, name, damage):
    """One line that names the file and does not show what is in it; a folder is no key either."""
    read(home)
    (home / name).unlink()
    if damage is None:
        (home / name).mkdir()
    else:
        (home / name).write_text(damage)
    said = complaint(home)
    assert said.startswith(f"WAGGLE_HOME: {home / name}: ")
    assert "bbish" not in said
    assert len(said.splitlines()) == 1


def test_one_callback_secret_has_its_own_name(home):
    """WAGGLE_CALLBACK_SECRET is accepted for one, the list wins over it."""
    one, two = "x" * 20, "y" * 20
    assert read(home, WAGGLE_CALLBACK_SECRET=one).callback_secrets == (one,)
    both = read(home, WAGGLE_CALLBACK_SECRET=one, WAGGLE_CALLBACK_SECRETS=f"{two},{one}")
    assert both.callback_secrets == (two, one)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"REDIS_URL": "redis://r/0"}, "redis://r/0"),
        ({"REDIS_URL": "redis://r/0", "RABBITMQ_URL": "amqp://m/"}, "amqp://m/"),
        ({"RABBITMQ_URL": "amqp://m/", "CLOUDAMQP_URL": "amqp://c/v"}, "amqp://c/v"),
        ({"CLOUDAMQP_URL": "amqp://c/v", "BROKER_URL": "redis://r/1"}, "redis://r/1"),
        ({"CLOUDAMQP_URL": "amqp://c/v", "BROKER_URL": ""}, "amqp://c/v"),
        ({"BROKER_URL": "filesystem:///somewhere"}, "filesystem://"),
    ],
)
def test_the_broker_is_the_first_that_is_set(home, given, expected):
    """BROKER_URL, CLOUDAMQP_URL, RABBITMQ_URL, REDIS_URL in this order; empty is not set."""
    assert read(home, **given).broker_url == expected


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("PORT", "99999", "65535"),
        ("PORT", "web", "whole number"),
        ("DATABASE_URL", "mysql://db/x", "postgresql://"),
        ("DATABASE_URL", "sqlite://", "name a file"),
        ("BROKER_URL", "localhost:5672", "amqp://"),
        ("WAGGLE_PUBLIC_URL", "waggle.example.org", "https://"),
        ("WAGGLE_HOLD_SECONDS", "-1", "0"),
        ("WAGGLE_HOLD_SECONDS", "nan", "number"),
        ("WAGGLE_LOOKBACK_DAYS", "3651", "3650"),
        ("WAGGLE_BEEMINDER_RATE", "fast", "number"),
        ("WAGGLE_OPERATORS", "alice,b ob", "b ob"),
        ("WAGGLE_ALLOW_HTTP", "perhaps", "1 or 0"),
        ("WAGGLE_LOG_FORMAT", "xml", "'console' or 'json'"),
        ("WAGGLE_LOG_LEVEL", "loud", "'debug'"),
        ("WAGGLE_CORRECTIONS", "sometimes", "'careful'"),
        ("WAGGLE_FAILED_STATUS", "200", "400"),
        ("WAGGLE_NOTIFY", "me", "Apprise"),
        ("WAGGLE_HEARTBEAT_URL", "hc", "https://"),
        ("WAGGLE_RETENTION_DAYS", "0", "1"),
        ("WAGGLE_TRUSTED_PROXIES", "proxy", "IP address"),
        ("WAGGLE_CALLBACK_SECRETS", "a/b", "letters"),
        ("WAGGLE_SECRET_KEYS", "short", "Fernet"),
    ],
)
def test_a_bad_value_is_one_line_with_name_cause_and_example(home, name, value, what):
    """One line: the setting, what was wrong, and an example."""
    said = complaint(home, **{name: value})
    assert said.count("\n") == 0
    assert said.startswith(f"{name}: ")
    assert what in said
    assert f"example: {name}=" in said


def test_all_that_is_wrong_is_told_at_once(home):
    """Three bad settings are three lines, so nobody starts three times."""
    said = complaint(home, PORT="x", WAGGLE_LOOKBACK_DAYS="y", WAGGLE_CORRECTIONS="z")
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "PORT",
        "WAGGLE_LOOKBACK_DAYS",
        "WAGGLE_CORRECTIONS",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"WAGGLE_SECRET_KEYS": "canary-1"},
        {"WAGGLE_CALLBACK_SECRETS": "canary-1/"},
        {"DATABASE_URL": "mysql://u:canary-1@h/d"},
        {"BROKER_URL": "foo://u:canary-1@h"},
        {"WAGGLE_HEARTBEAT_URL": "hc/canary-1"},
        {"WAGGLE_NOTIFY": "canary-1"},
    ],
)
def test_a_complaint_shows_no_secret(home, given):
    """What stands in a setting that may hold a secret is not repeated in the complaint."""
    assert "canary-1" not in complaint(home, **given)


def test_repr_shows_no_secret_and_secrets_lists_them(home):
    """A settings object may be logged; what has to be hidden elsewhere is listed."""
    found = read(
        home,
        DATABASE_URL="postgresql://u:canary-db@h/d",
        BROKER_URL="amqp://u:canary-mq@h/",
        WAGGLE_BEEMINDER_CLIENT_SECRET="canary-client",
        WAGGLE_CALLBACK_SECRETS="canary-callback-secret",
        WAGGLE_HEARTBEAT_URL="https://hc.example.org/canary-beat",
        WAGGLE_NOTIFY="ntfy://canary-notify",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=canary-headers",
        WAGGLE_SECRET_KEYS=KEY,
    )
    assert "canary-" not in repr(found)
    assert KEY not in repr(found)
    secrets = {"canary-db", "canary-mq", "canary-client", "canary-callback-secret", KEY}
    assert secrets | {"canary-headers"} <= set(found.secrets())


def test_an_unknown_name_is_a_warning_with_the_nearest(home):
    """A slip of the pen is told; what orchestrators inject is not."""
    found = read(
        home, WAGGLE_LOOKBACK_DAY="3", WAGGLE_PORT_8000_TCP="x", WAGGLE_SERVICE_HOST="10.0.0.1"
    )
    assert len(found.warnings) == 1
    assert "WAGGLE_LOOKBACK_DAY " in found.warnings[0]
    assert "did you mean WAGGLE_LOOKBACK_DAYS?" in found.warnings[0]


def test_traps_are_warned_of(home):
    """A machine's own key beside a shared database, a short secret, plain http to Beeminder."""
    found = read(
        home,
        DATABASE_URL="postgres://db/waggle",
        WAGGLE_CALLBACK_SECRETS="short",
        WAGGLE_BEEMINDER_URL="http://beeminder.example.org",
    )
    said = "\n".join(found.warnings)
    assert "WAGGLE_SECRET_KEYS" in said
    assert "WAGGLE_CALLBACK_SECRETS" in said
    assert "short" not in said
    assert "WAGGLE_BEEMINDER_URL" in said


def test_dotenv_is_read_under_the_environment(home, tmp_path):
    """`.env` fills what the environment leaves open; a `$` in it is a `$`."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=9000\nHOST=127.0.0.2\nTHEIRS='pa$HOME'\nexport EMPTY=\n")
    found = settings.load({"WAGGLE_HOME": str(home), "PORT": "9001"}, dotenv)
    assert (found.port, found.host) == (9001, "127.0.0.2")
    merged = settings.environment({}, dotenv)
    assert merged["THEIRS"] == "pa$HOME"
    assert "EMPTY" not in merged


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("0.0.0.0", "http://127.0.0.1:81"),  # noqa: S104 -- what a container sets
        ("::1", "http://[::1]:81"),
        ("example.org", "http://example.org:81"),
    ],
)
def test_the_public_address_can_be_opened(home, host, public):
    """The default address is one that a browser on this machine can open."""
    assert read(home, HOST=host, PORT="81").public_url == public


def test_lists_are_split_and_cleaned(home):
    """Commas, spaces and letter case do not matter in lists; a comma inside a URL stays."""
    found = read(
        home,
        WAGGLE_OPERATORS=" Alice, bob ,",
        WAGGLE_NOTIFY="mailto://a:b@c?to=x@y,z@y, ntfy://t",
        WAGGLE_TRUSTED_PROXIES="10.0.0.0/8, ::1",
    )
    assert found.operators == {"alice", "bob"}
    assert found.notify == ("mailto://a:b@c?to=x@y,z@y", "ntfy://t")
    assert found.trusted_proxies == "10.0.0.0/8,::1"


def test_a_home_that_cannot_be_made_is_told(tmp_path):
    """A file where the home should be stops the start with the name of the setting."""
    (tmp_path / "home").write_text("in the way")
    assert complaint(tmp_path / "home").startswith("WAGGLE_HOME: ")
    assert complaint(tmp_path / "home" / "below").startswith("WAGGLE_HOME: ")


def test_settings_do_not_change(home):
    """Nobody changes a setting of a running process."""
    found = read(home)
    with pytest.raises(ValueError, match="frozen"):
        found.port = 1
    assert "WAGGLE_HOME" not in os.environ or os.environ["WAGGLE_HOME"] != str(home)
