"""What the environment says: the only module that reads it.

A value comes from the environment, else from `.env` in the working directory, else it has a
default. Whatever is wrong is told in one line per setting, and nothing starts.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from worker import keyfiles, setting_complaints, setting_types
from worker.setting_types import SettingsError

__all__ = ["Settings", "SettingsError", "environment", "load"]

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 -- nobody can browse to these


def _setting(
    name: str, description: str, *, example: str, also: tuple[str, ...] = (), **options: Any
) -> Any:  # noqa: ANN401 -- what pydantic.Field returns
    return Field(
        validation_alias=AliasChoices(name, *also),
        description=description,
        examples=[example],
        **options,
    )


class Settings(BaseSettings):
    """Every setting, checked. Whatever holds a secret is left out of `repr`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=False
    )

    home: setting_types.Folder = _setting(
        "WAGGLE_HOME",
        "where the embedded database, queue and generated keys live (made with mode 0700)",
        example="/var/lib/waggle",
        default=Path("var"),
        validate_default=True,
    )
    database_url: setting_types.DatabaseUrl = _setting(
        "DATABASE_URL",
        "the ledger; default: `sqlite:///$WAGGLE_HOME/waggle.db`",
        example="postgresql://waggle:secret@db.example.org/waggle",
        default="",
        repr=False,
    )
    broker_url: setting_types.BrokerUrl = _setting(
        "BROKER_URL",
        "the doorbell: `amqp://` or `redis://`; else the first set of `CLOUDAMQP_URL`, "
        "`RABBITMQ_URL`, `REDIS_URL`; default: a queue of files under `$WAGGLE_HOME`",
        example="amqp://waggle:secret@mq.example.org/waggle",
        also=("CLOUDAMQP_URL", "RABBITMQ_URL", "REDIS_URL"),
        default="filesystem://",
        repr=False,
    )
    port: int = _setting(
        "PORT", "where the receiver listens", example="8000", default=8000, ge=0, le=65535
    )
    host: str = _setting(
        "HOST", "where the receiver listens", example="127.0.0.1", default="127.0.0.1"
    )
    public_url: setting_types.WebUrl = _setting(
        "WAGGLE_PUBLIC_URL",
        "the address that Beeminder and browsers use; default: `http://HOST:PORT`",
        example="https://waggle.example.org",
        default="",
    )
    secret_keys: setting_types.FernetKeys = _setting(
        "WAGGLE_SECRET_KEYS",
        "comma-separated Fernet keys: the first encrypts, all decrypt; made on the first start in "
        "`$WAGGLE_HOME/secret.key`",
        example="(what `waggle init` writes)",
        default=(),
        repr=False,
    )
    callback_secrets: setting_types.PathSecrets = _setting(
        "WAGGLE_CALLBACK_SECRETS",
        "comma-separated path secrets of the Beeminder callbacks: all are accepted, the first is "
        "shown; made likewise in `callback.secret`; `WAGGLE_CALLBACK_SECRET` is accepted for one",
        example="(what `waggle init` writes)",
        also=("WAGGLE_CALLBACK_SECRET",),
        default=(),
        repr=False,
    )
    beeminder_url: setting_types.WebUrl = _setting(
        "WAGGLE_BEEMINDER_URL",
        "where Beeminder is",
        example="https://www.beeminder.com",
        default="https://www.beeminder.com",
    )
    beeminder_client_id: str | None = _setting(
        "WAGGLE_BEEMINDER_CLIENT_ID",
        "client id of the registered app; without it people are linked with personal tokens only",
        example="1a2b3c4d5e",
        default=None,
    )
    beeminder_client_secret: str | None = _setting(
        "WAGGLE_BEEMINDER_CLIENT_SECRET",
        "client secret of the registered app",
        example="(from Beeminder's app page)",
        default=None,
        repr=False,
    )
    beeminder_app_name: str | None = _setting(
        "WAGGLE_BEEMINDER_APP_NAME",
        "name of the registered app, as it stands in a goal's data source",
        example="waggle",
        default=None,
    )
    hold_seconds: float = _setting(
        "WAGGLE_HOLD_SECONDS",
        "how long an autofetch callback is held for fresh data; `0`: answered 503 `late` at once",
        example="25",
        default=25.0,
        ge=0,
        le=300,
        allow_inf_nan=False,
    )
    lookback_days: int = _setting(
        "WAGGLE_LOOKBACK_DAYS",
        "how many days before today each sync looks at for late data, never before `since`",
        example="2",
        default=2,
        ge=0,
        le=3650,
    )
    beeminder_rate: float = _setting(
        "WAGGLE_BEEMINDER_RATE",
        "requests per second and token that we allow ourselves at Beeminder; `0`: no limit",
        example="10",
        default=10.0,
        ge=0,
        allow_inf_nan=False,
    )
    operators: setting_types.Usernames = _setting(
        "WAGGLE_OPERATORS",
        "comma-separated Beeminder usernames that see the operator pages",
        example="alice,bob",
        default=frozenset(),
    )
    allow_http: bool = _setting(
        "WAGGLE_ALLOW_HTTP",
        "plain http to a source is refused unless its host is loopback or this is 1",
        example="1",
        default=False,
    )
    private_addresses: Literal["allow", "refuse"] | None = _setting(
        "WAGGLE_PRIVATE_ADDRESSES",
        "`allow` or `refuse`: may a source have an address that is not public; default: where an "
        "app is registered (it serves several people) private and link-local ones are refused",
        example="refuse",
        default=None,
    )
    log_format: Literal["console", "json"] = _setting(
        "WAGGLE_LOG_FORMAT", "`console` or `json`", example="json", default="console"
    )
    log_level: setting_types.Level = _setting(
        "WAGGLE_LOG_LEVEL",
        "`debug`, `info`, `warning` or `error`",
        example="debug",
        default="info",
    )
    corrections: Literal["careful", "always", "never"] = _setting(
        "WAGGLE_CORRECTIONS",
        "`careful`, `always` or `never`: what happens to changes of finished days; also per feed",
        example="never",
        default="careful",
    )
    failed_status: int = _setting(
        "WAGGLE_FAILED_STATUS",
        "the status of an autofetch answer when the data is not on the goal",
        example="503",
        default=503,
        ge=400,
        le=599,
    )
    notify: setting_types.NotifyUrls = _setting(
        "WAGGLE_NOTIFY",
        "comma-separated Apprise URLs for the operator's alerts",
        example="ntfy://ntfy.sh/my-topic",
        default=(),
        repr=False,
    )
    heartbeat_url: setting_types.WebUrl | None = _setting(
        "WAGGLE_HEARTBEAT_URL",
        "fetched once a minute, only while work really moves",
        example="https://hc-ping.com/your-check",
        default=None,
        repr=False,
    )
    canary: setting_types.Canary | None = _setting(
        "WAGGLE_CANARY",
        "a goal of your own, without money on it, that is called back every five minutes the whole "
        "way, over `WAGGLE_PUBLIC_URL`",
        example="alice/canary",
        default=None,
    )
    retention_days: int = _setting(
        "WAGGLE_RETENTION_DAYS",
        "how long finished events and their payloads are kept",
        example="400",
        default=400,
        ge=1,
        le=36500,
    )
    traces_endpoint: setting_types.WebUrl | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "where traces are sent by OTLP over HTTP, with the extra `waggle-server[otel]`; what else "
        "the OpenTelemetry SDK knows (`OTEL_*`) is read from the environment",
        example="http://127.0.0.1:4318",
        default=None,
        repr=False,
    )
    traces_headers: str | None = _setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "what is sent along with them, a key of the service for example",
        example="api-key=(from the service)",
        default=None,
        repr=False,
    )
    worker_processes: int | None = _setting(
        "WAGGLE_WORKER_PROCESSES",
        "how many workers `waggle up` starts; default: 2, or 1 where there is one processor",
        example="4",
        default=None,
        ge=1,
        le=64,
    )
    progress_runs: int = _setting(
        "WAGGLE_PROGRESS_RUNS",
        "how many runs one process follows live; more processes share more",
        example="1000",
        default=1000,
        ge=1,
        le=100_000,
    )
    trusted_proxies: setting_types.Proxies | None = _setting(
        "WAGGLE_TRUSTED_PROXIES",
        "comma-separated addresses or networks whose `X-Forwarded-*` are believed",
        example="127.0.0.1,10.0.0.0/8",
        default=None,
    )

    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- see above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- see above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- see above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands in: it has merged the environment and `.env` already."""
        return (init_settings,)

    @model_validator(mode="after")
    def _derive(self) -> Self:
        if not self.database_url:
            self._set("database_url", f"sqlite:///{self.home / 'waggle.db'}")
        if not self.public_url:
            host = f"[{self.host}]" if ":" in self.host else self.host
            self._set("public_url", f"http://{WILDCARDS.get(self.host, host)}:{self.port}")
        return self

    def _set(self, name: str, value: object) -> None:
        self.__dict__[name] = value  # frozen for everybody else

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd but no reason to stop, one line each; for stderr."""
        return self._warnings

    @property
    def refuses_private(self) -> bool:
        """Whether private addresses of sources are refused."""
        if self.private_addresses is None:
            return self.beeminder_client_id is not None
        return self.private_addresses == "refuse"

    @property
    def queue_folder(self) -> Path:
        """Where the filesystem broker keeps its queues."""
        return self.home / "queue"

    @property
    def backup_folder(self) -> Path:
        """Where copies of the embedded database are put."""
        return self.home / "backups"

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, to be hidden from logs (`worker.logs.hide`)."""
        passwords = (urlsplit(url).password for url in (self.database_url, self.broker_url))
        single = (
            self.beeminder_client_secret,
            self.heartbeat_url,
            *(pair.partition("=")[2].strip() for pair in (self.traces_headers or "").split(",")),
            *passwords,
        )
        given = (value for value in single if value)
        return (*self.secret_keys, *self.callback_secrets, *self.notify, *given)


def environment(
    env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")
) -> dict[str, str]:
    """The environment over `.env`; what is empty counts as not set. Raises `SettingsError`."""
    merged: dict[str, str | None] = {}
    if dotenv is not None and dotenv.exists():
        try:
            # A `$` in a password is a `$`.
            merged |= dotenv_values(dotenv, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"{dotenv}: cannot be read: {exc}") from exc
    merged |= os.environ if env is None else env
    return {name: value for name, value in merged.items() if value is not None and value.strip()}


def load(env: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Settings:
    """The settings, with keys made in the home if there are none. Raises `SettingsError`."""
    given = environment(env, dotenv)
    try:
        settings = Settings.model_validate({name: value.strip() for name, value in given.items()})
    except ValidationError as exc:
        raise SettingsError(
            "\n".join(setting_complaints.lines(exc, given, Settings))
        ) from None  # its text may show secrets
    made = [name for name in ("secret_keys", "callback_secrets") if not getattr(settings, name)]
    if "secret_keys" in made:
        keys = keyfiles.read(
            settings.home, "secret.key", keyfiles.new_key, setting_types.fernet_keys
        )
        settings._set("secret_keys", keys)  # noqa: SLF001 -- same module
    if "callback_secrets" in made:
        paths = keyfiles.read(
            settings.home, "callback.secret", keyfiles.new_secret, setting_types.path_secrets
        )
        settings._set("callback_secrets", paths)  # noqa: SLF001 -- same module
    keyfiles.make_home(settings.home)
    odd = setting_complaints.odd(
        database_url=settings.database_url,
        beeminder_url=settings.beeminder_url,
        callback_secrets=settings.callback_secrets,
        made_key=settings.home / "secret.key" if "secret_keys" in made else None,
    )
    settings._warnings = (*setting_complaints.unknown(given, Settings), *odd)  # noqa: SLF001 -- same module
    return settings
