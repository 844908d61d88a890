"""Bearer tokens (RFC 6750): how one is shown, and who keeps it."""

from typing import Protocol

from clients import redaction


class TokenSource(Protocol):
    """Keeps a person's tokens and renews them; may raise `clients.errors`."""

    def access(self) -> str:
        """An access token that is good as far as is known."""

    def renew(self, rejected: str) -> str:
        """A new access token in place of the one that the server refused."""


def bearer(token: str) -> redaction.Credentials:
    """The credentials of a token: in a header, also where a vendor takes it in the URL as well.

    The scheme is case-sensitive at BEMServer.
    """
    return redaction.Credentials(headers={"Authorization": f"Bearer {token}"})
