"""What a process says of its own settings, to whoever asks or when it fails: no secret."""

import json
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from celery import Celery
from celery.worker import control
from cryptography.fernet import Fernet

from tasks import providers
from tests.attacks.canaries import CLIENT, HEARTBEAT, KEY, NOTIFY
from webhooks import serve
from worker import app, settings
from worker.settings import Settings

PASSWORD = "canary-of-a-database"
BROKER = "canary-of-a-broker"
PATH = "canary-of-the-callbacks-path"
SECRETS = (KEY, CLIENT, HEARTBEAT, NOTIFY, PASSWORD, BROKER, PATH)


def loaded(home: Path, **more: str) -> Settings:
    """Settings with a canary wherever a secret belongs."""
    env = {
        "WAGGLE_HOME": str(home),
        "DATABASE_URL": f"postgresql://waggle:{PASSWORD}@db.example.org/waggle",
        "BROKER_URL": f"amqp://waggle:{BROKER}@mq.example.org/waggle",
        "WAGGLE_SECRET_KEYS": KEY,
        "WAGGLE_CALLBACK_SECRETS": PATH,
        "WAGGLE_BEEMINDER_CLIENT_ID": "an-app",
        "WAGGLE_BEEMINDER_CLIENT_SECRET": CLIENT,
        "WAGGLE_HEARTBEAT_URL": f"https://hc.example.org/{HEARTBEAT}",
        "WAGGLE_NOTIFY": f"ntfy://{NOTIFY}@ntfy.example.org/{NOTIFY}",
    }
    return settings.load(env | more, dotenv=None)


def celery_says(made: Celery) -> str:
    """All that Celery tells of its settings: in logs, in its report, to `inspect` on the broker."""

    class State:
        """As a worker's, as far as it is asked."""

        app = made

    told = control.conf(State, with_defaults=True)
    return "".join(
        [
            made.conf.humanize(with_defaults=True),
            made.bugreport(),
            json.dumps(told, default=repr),
            made.connection().as_uri(),
            repr(made),
            repr(made.connection()),
        ]
    )


SAYS: dict[str, Callable[[Settings], str]] = {
    "settings": lambda found: f"{found!r} {found}",
    "the receiver's part": lambda found: repr(
        serve.configuration(found, providers.table().values())
    ),
    "celery": lambda found: celery_says(app.make(found)),
}


@pytest.mark.parametrize("what", SAYS)
@pytest.mark.parametrize("broker", ["amqp", "redis"])
def test_no_dump_of_settings_has_a_secret(tmp_path: Path, what: str, broker: str) -> None:
    """repr, the report of Celery, and what its remote control answers."""
    url = {"amqp": f"amqp://u:{BROKER}@h/v", "redis": f"redis://u:{BROKER}@h:6379/0"}[broker]
    said = SAYS[what](loaded(tmp_path, BROKER_URL=url))

    assert len(said) > 100
    assert [secret for secret in SECRETS if secret in said] == []


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL", "BROKER_URL", "WAGGLE_SECRET_KEYS", "WAGGLE_CALLBACK_SECRETS",
        "WAGGLE_HEARTBEAT_URL", "WAGGLE_NOTIFY", "PORT",
    ],
)  # fmt: skip
def test_a_complaint_about_a_setting_repeats_no_secret(tmp_path: Path, name: str) -> None:
    """Also not of the others, and not by way of what it was raised from."""
    with pytest.raises(settings.SettingsError) as caught:
        loaded(tmp_path, **{name: f"nonsense {PATH} \x00"})
    told = "".join(traceback.format_exception(caught.value))

    assert name in told
    assert [secret for secret in SECRETS if secret in told and name != "PORT"] == []


def test_a_key_of_another_kind_is_not_repeated(tmp_path: Path) -> None:
    """A key with one letter too few is told by its place in the list."""
    short = Fernet.generate_key().decode()[:-2]
    with pytest.raises(settings.SettingsError) as caught:
        loaded(tmp_path, WAGGLE_SECRET_KEYS=f"{KEY},{short}")
    assert short not in "".join(traceback.format_exception(caught.value))
