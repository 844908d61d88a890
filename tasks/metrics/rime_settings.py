"""What the file says of a RIME tenant."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from clients import json_pointer, rime_paths
from clients.rime_auth import REFRESH_PATH
from clients.rime_models import NAMES, Fields
from tasks import days
from tasks.limits import Quota
from tasks.metrics import rime_checks
from tasks.providers import SourceSettings

VERSION_PATH = "/api/v1"
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_POINTER = "JSON pointer in a run to its"


class Settings(SourceSettings):
    """How to reach a RIME tenant, and where its answers hold what is counted."""

    tenant: str | None = Field(None, description="first part of <tenant>.rimedata.io")
    url: str | None = Field(
        None,
        description="base URL with the version path, instead of `tenant`",
        examples=["https://…/api/v1"],
    )
    project: str = Field(description="id of the project (`waggle source check` lists them)")
    api_key: SecretStr | None = Field(None, description="key of Project > Settings > API Keys")
    email: str | None = Field(None, description="login, instead of `api_key`")
    password: SecretStr | None = Field(None, description="password of that login")
    refresh_path: str = Field(REFRESH_PATH, description="path where a login is refreshed")
    connector_runs_path: str = Field(
        rime_paths.RUNS["connector"], description="path of the runs of a connector"
    )
    pipeline_runs_path: str = Field(
        rime_paths.RUNS["pipeline"], description="path of the runs of a pipeline"
    )
    id_pointer: str | None = Field(None, description=f"{_POINTER} id, such as /id")
    status_pointer: str | None = Field(None, description=f"{_POINTER} status, such as /status")
    rows_pointer: str | None = Field(
        None, description=f"{_POINTER} count of rows, such as /summary/total_rows"
    )
    started_pointer: str | None = Field(None, description=f"{_POINTER} start, such as /started_at")
    ended_pointer: str | None = Field(None, description=f"{_POINTER} end, such as /completed_at")
    times_zone: str = Field("UTC", description="zone of times that name none, as Europe/Paris")
    progress_url: str | None = Field(
        None, description="WebSocket with the progress of runs, from the tenant's API page"
    )
    progress_auth: Literal["header", "first_message", "subprotocol", "query"] = Field(
        "header", description="how the token is shown there"
    )
    progress_framing: Literal["json", "socketio"] = Field(
        "json", description="how messages are framed there"
    )
    progress_poll: str = Field("10s", description="how often a running run is read, 1s to 1h")

    def account(self) -> str:
        """The tenant's address and the project."""
        return f"{self.base_url()}|{self.project}"

    def open_url(self) -> str | None:
        """The address, where it is given by hand."""
        return self.url

    def quotas(self) -> tuple[Quota, ...]:
        """All users of a tenant share its limits, one for each endpoint; no number is published."""
        host = urlsplit(self.base_url()).netloc
        routes = rime_paths.endpoints(self.connector_runs_path, self.pipeline_runs_path)
        return (Quota(account=host, title=host, unknown=True, per_endpoint=True, routes=routes),)

    def base_url(self) -> str:
        """Where the API is, without a slash at the end."""
        return self.url or f"https://{self.tenant}.rimedata.io{VERSION_PATH}"

    def progress_seconds(self) -> float:
        """Seconds from one read of a running run to the next."""
        return rime_checks.poll_seconds(self.progress_poll)

    def fields(self) -> Fields:
        """Where the values of a run are."""
        given = {name: getattr(self, f"{name}_pointer") for name in NAMES}
        pointers = {name: json_pointer.parse(text) for name, text in given.items() if text}
        return Fields(pointers, days.zone(self.times_zone))

    @field_validator("project", mode="before")
    @classmethod
    def _numbers_are_ids(cls, given: object) -> object:
        return str(given) if isinstance(given, int) and not isinstance(given, bool) else given

    @field_validator("project")
    @classmethod
    def _is_an_id(cls, given: str) -> str:
        return rime_checks.id_of(given)

    @field_validator("tenant")
    @classmethod
    def _is_one_label(cls, given: str | None) -> str | None:
        if given is None:
            return None
        label = given.strip().lower()
        if not _LABEL.fullmatch(label):
            message = (
                "has to be the first part of <tenant>.rimedata.io alone: letters, digits and "
                "hyphens, no hyphen at either end, 63 at most"
            )
            raise ValueError(message)
        return label

    @field_validator("url")
    @classmethod
    def _has_its_version(cls, given: str | None) -> str | None:
        if given is None:
            return None
        url = given.strip().rstrip("/")
        if not url.endswith(VERSION_PATH):
            raise ValueError(f"has to end with {VERSION_PATH}, such as https://…{VERSION_PATH}")
        parts = urlsplit(url)
        return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()

    @field_validator("api_key", "password")
    @classmethod
    def _without_the_end_of_the_line(cls, given: SecretStr | None) -> SecretStr | None:
        return None if given is None else SecretStr(given.get_secret_value().strip("\r\n"))

    @field_validator("refresh_path")
    @classmethod
    def _is_a_path(cls, given: str) -> str:
        return rime_paths.refresh(given)

    @field_validator("connector_runs_path")
    @classmethod
    def _of_a_connector(cls, given: str) -> str:
        return rime_paths.checked(given, "connector")

    @field_validator("pipeline_runs_path")
    @classmethod
    def _of_a_pipeline(cls, given: str) -> str:
        return rime_paths.checked(given, "pipeline")

    @field_validator(*(f"{name}_pointer" for name in NAMES))
    @classmethod
    def _is_a_pointer(cls, given: str | None) -> str | None:
        if given is not None and not json_pointer.parse(given):
            raise ValueError('has to name a field, such as "/summary/total_rows"')
        return given

    @field_validator("times_zone")
    @classmethod
    def _is_a_zone(cls, given: str) -> str:
        days.zone(given)
        return given

    @field_validator("progress_url")
    @classmethod
    def _is_a_socket(cls, given: str | None) -> str | None:
        return None if given is None else rime_checks.socket(given.strip())

    @field_validator("progress_poll")
    @classmethod
    def _is_a_pause(cls, given: str) -> str:
        rime_checks.poll_seconds(given)
        return given

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.tenant is None) == (self.url is None):
            message = (
                "give either `tenant`, the first part of <tenant>.rimedata.io, or `url`, the whole "
                "address with /api/v1"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        login = self.email is not None, self.password is not None
        if self.api_key is not None and any(login):
            message = (
                "`api_key` and a login are two ways in: keep `api_key`, which is made for "
                "programs, and leave `email` and `password` out"
            )
            raise ValueError(message)
        if self.api_key is None and not all(login):
            message = (
                "there is no way in: make a key at Project > Settings > API Keys and give it as "
                "`api_key`, or give both `email` and `password`"
            )
            raise ValueError(message)
        return self
