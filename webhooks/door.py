"""The secret in the path of a callback, compared so that the time taken tells nothing."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence


class Door:
    """Knows the path secrets. Each question costs the same, whatever is asked."""

    def __init__(self, accepted: Sequence[str]) -> None:
        self._key = secrets.token_bytes(32)
        self._accepted = [self._digest(secret) for secret in accepted]

    def opens(self, secret: str) -> bool:
        """Whether this is one of the accepted secrets; all of them are compared every time."""
        digest = self._digest(secret)
        # A list: `any` over a generator would stop at the first match.
        return any([hmac.compare_digest(digest, accepted) for accepted in self._accepted])  # noqa: C419 -- as above

    def _digest(self, secret: str) -> bytes:
        # Digests are equally long, which is what makes the comparison take equally long.
        return hashlib.blake2b(secret.encode("utf-8", "replace"), key=self._key).digest()
