"""One call, and the request that it makes."""

import dataclasses
import json as jsonlib
import urllib.parse
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import httpx

from clients import errors, redaction
from clients.deadline import Deadline

USER_AGENT = f"waggle/{metadata.version('waggle-server')}"

Params = Mapping[str, str | int | Sequence[str | int]]


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One call as the vendor client asked for it."""

    method: str
    path: str
    params: Params
    form: Mapping[str, str] | None
    json: Mapping[str, object] | None
    headers: Mapping[str, str]
    credentials: redaction.Credentials
    kept: tuple[str, ...] = ()  # secrets of the account that are not part of this one

    def secrets(self) -> tuple[str, ...]:
        """What an answer may repeat and nobody may read, the longest first."""
        every = {*self.credentials.secrets(), *self.kept} - {""}
        return tuple(sorted(every, key=len, reverse=True))

    def request(self, url: httpx.URL, deadline: Deadline) -> httpx.Request:
        """What goes on the wire. `url` has no credentials in it."""
        # Not `http.build_request`: that would add the cookies of whoever called before.
        extensions: dict[str, Any] = {"timeout": deadline}
        if self.credentials.query:
            # httpx logs the URL and keeps it in exceptions. This goes on the wire only.
            mark = b"&" if url.query else b"?"
            extensions["target"] = (
                url.raw_path + mark + urllib.parse.urlencode(self.credentials.query).encode()
            )
        headers = httpx.Headers(
            {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        content = None
        if self.json is not None or self.credentials.json:
            headers["Content-Type"] = "application/json"
            content = jsonlib.dumps({**(self.json or {}), **self.credentials.json}).encode()
        elif self.form is not None or self.credentials.form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urllib.parse.urlencode(
                {**(self.form or {}), **self.credentials.form}
            ).encode()
        headers.update(self.headers)
        headers.update(self.credentials.headers)
        return httpx.Request(
            self.method, url, headers=headers, content=content, extensions=extensions
        )

    def scrubbed(self, error: errors.ClientError) -> errors.ClientError:
        """The error without the secrets of this call, whoever put them there."""
        secrets = self.secrets()
        error.message = redaction.scrub_text(error.message, secrets)
        error.args = (error.message,)
        error.details = redaction.scrub(error.details, secrets)
        if error.request_id is not None:
            error.request_id = redaction.scrub_text(error.request_id, secrets)
        return error
