"""Secrets at rest: a ring of Fernet keys, and keyed hashes to look a secret up without reading it.

The first key of the ring encrypts, all decrypt, so a key is rotated by putting a new one in front
and re-encrypting at leisure. A lookup has to try the hash under every key until that is done.
"""

import hashlib
import hmac
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class VaultError(Exception):
    """A secret cannot be read with the keys that are set."""


class Vault:
    """Encrypts, decrypts and fingerprints text with a ring of url-safe base64 Fernet keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._ring = MultiFernet([Fernet(key.strip()) for key in keys])
        except ValueError:
            # The text of the original error is not kept: it may show part of a key.
            message = "a secret key is not a Fernet key; make one with: waggle init"
            raise VaultError(message) from None
        # A hash key of its own: what looks secrets up never decrypts them.
        self._hash_keys = [
            hmac.digest(key.strip().encode(), b"waggle keyed hash", hashlib.sha256) for key in keys
        ]

    def encrypt(self, secret: str) -> str:
        """Cipher text under the first key."""
        return self._ring.encrypt(secret.encode()).decode()

    def decrypt(self, cipher: str) -> str:
        """Plain text; `VaultError` when no key of the ring fits."""
        try:
            return self._ring.decrypt(cipher.encode()).decode()
        except InvalidToken:
            message = (
                "a stored secret cannot be read with the keys in WAGGLE_SECRET_KEYS; "
                "put the key back that it was written with, or enter the secret again"
            )
            raise VaultError(message) from None

    def rotate(self, cipher: str) -> str:
        """The same secret under the first key."""
        try:
            return self._ring.rotate(cipher.encode()).decode()
        except InvalidToken:
            message = "a stored secret cannot be read with the keys in WAGGLE_SECRET_KEYS"
            raise VaultError(message) from None

    def fingerprint(self, secret: str) -> str:
        """Keyed hash under the first key: what is stored."""
        return self.fingerprints(secret)[0]

    def fingerprints(self, secret: str) -> list[str]:
        """Keyed hashes under every key of the ring: what is looked for."""
        return [
            hmac.new(key, secret.encode(), hashlib.sha256).hexdigest() for key in self._hash_keys
        ]
