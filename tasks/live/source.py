"""What followers ask of one source of RIME. Every call blocks: followers make them in threads."""

import contextlib
from collections.abc import Iterator
from urllib.parse import quote

from clients.rime import Run
from clients.rime_paths import Kind
from clients.rime_socket import Door
from db import sources
from db.engine import AWAY
from db.models import Source
from db.runs import Held
from db.states import Lane
from tasks import connecting, gates
from tasks.gates import DeferredError
from tasks.metrics.rime_reader import Reader
from tasks.metrics.rime_settings import Settings
from tasks.runtime import Runtime

AWAY_SECONDS = 2.0


class LiveSource:
    """One source. Raises the tree of `clients.errors` and `gates.DeferredError`."""

    def __init__(self, rt: Runtime, source: Source) -> None:
        self._rt = rt
        provider = connecting.provider_of(rt, source)
        settings = connecting.settings_of(rt, provider, source)
        reader = connecting.connect(rt, source)
        if not isinstance(settings, Settings) or not isinstance(reader, Reader):
            message = f"runs of source {source.name} can't be followed: it is no source of RIME"
            raise connecting.BadSettingsError(message)
        self._settings = settings
        self._client = reader.client
        self._id = source.id or 0
        self._public_only = source.public_only
        self.framing = settings.progress_framing
        self.zone = settings.fields().zone
        self.poll_seconds = settings.progress_seconds()

    def read(self, held: Held) -> Run:
        """The run as it is now, by REST."""
        kind, of = place_of(held)
        with self._asking():
            return self._client.run(held.project or self._settings.project, kind, of, held.run_id)

    def door(self, held: Held) -> Door | None:
        """Where the run's stream is; None where none is set up."""
        if self._settings.progress_url is None:
            return None
        with self._asking():
            token = self._client.token()
        options = self._rt.options
        anywhere = not (self._public_only and self._rt.public_http is not None)
        return Door(
            url=address(self._settings, held),
            token=token,
            auth=self._settings.progress_auth,
            framing=self.framing,
            private=options.private_addresses and anywhere,
            loopback=options.loopback_addresses and anywhere,
        )

    def renew(self, rejected: str) -> bool:
        """See that there is another token than this one; False: there can't be."""
        with self._asking():
            return self._client.renew(rejected)

    def token_ends_at(self) -> float | None:
        """When the token ends, in UTC seconds; None for a key, and where nobody told."""
        if self._settings.api_key is not None:
            return None
        with self._asking(), self._rt.ledger.read() as session:
            found = sources.tokens(session, self._id, self._rt.vault)
        return None if found is None else found.expires_at

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """One question. No gate is passed without the ledger, so an outage of it puts it off."""
        try:
            with gates.errand(Lane.DEFAULT):
                yield
        except AWAY:
            message = "the database is out of reach; it is tried again by itself"
            error = {"code": "ledger_away", "message": message}
            raise DeferredError(self._rt.clock.now() + AWAY_SECONDS, error) from None


def place_of(held: Held) -> tuple[Kind, str]:
    """Whose run it is."""
    if held.connector is not None:
        return "connector", held.connector
    return "pipeline", held.pipeline or ""


def address(settings: Settings, held: Held) -> str:
    """The template with what this run is called put in, each as one part of a path."""
    values = {
        "tenant": settings.tenant or "",
        "project": held.project or settings.project,
        "connector": held.connector or "",
        "pipeline": held.pipeline or "",
        "run": held.run_id,
    }
    url = settings.progress_url or ""
    for name, value in values.items():
        url = url.replace(f"{{{name}}}", quote(value, safe=""))
    return url
