"""Reaching a source as it is stored now, to see whether its credentials work and what is there."""

from db.models import Source
from tasks import connecting
from tasks.providers import Authenticate, Connection, Provider, Tokens
from tasks.runtime import Runtime
from tasks.tokens import SourceTokens


class _Lent:
    """Tokens of one login that is thrown away: what the workers hold is left alone."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate
        self._access: str | None = None

    def access(self) -> str:
        if self._access is None:
            self._access = self._authenticate(None).access
        return self._access

    def renew(self, rejected: str) -> str:
        if self._access == rejected:
            self._access = None
        return self.access()


def reach(rt: Runtime, source: Source) -> tuple[Provider, Connection]:
    """The provider of a source and a connection that has logged in, if it logs in at all.

    Raises the tree of `clients.errors`, `DeferredError`, `VaultError` and `httpx.HTTPError`.
    """
    lent: list[Tokens] = []

    def lend(authenticate: Authenticate) -> Tokens:
        # A person who was asked once is not asked again to have a look: what is stored has to do.
        lent.append(
            SourceTokens(rt, source.id or 0, authenticate, provider=source.provider, remedy=remedy)
            if by_code
            else _Lent(authenticate)
        )
        return lent[0]

    provider = connecting.provider_of(rt, source)
    settings = connecting.settings_of(rt, provider, source)
    by_code = provider.code_flow is not None and provider.code_flow.offered(settings)
    remedy = connecting.login_remedy(provider, settings, source)
    connection = provider.connect(connecting.link_to(rt, source, settings, lend=lend))
    if lent:
        lent[0].access()
    return provider, connection
