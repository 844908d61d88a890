"""Secrets at rest: readable under any key of the ring, found under any, shown under none."""

import pytest
from cryptography.fernet import Fernet

from db.vault import Vault, VaultError

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def test_a_rotated_ring_reads_what_was_written_before() -> None:
    """A key put in front encrypts from now on; the one behind still decrypts."""
    cipher = Vault([OLD]).encrypt("secret")
    ring = Vault([NEW, OLD])

    assert ring.decrypt(cipher) == "secret"
    assert Vault([NEW]).decrypt(ring.rotate(cipher)) == "secret"
    with pytest.raises(VaultError):
        Vault([OLD]).decrypt(ring.encrypt("secret"))


def test_a_missing_key_is_said_without_showing_anything() -> None:
    """The error says what to do, and holds neither the key nor the text."""
    cipher = Vault([OLD]).encrypt("xyzzy")
    for use in (Vault([OTHER]).decrypt, Vault([OTHER]).rotate):
        with pytest.raises(VaultError) as caught:
            use(cipher)
        assert "WAGGLE_SECRET_KEYS" in str(caught.value)
        assert not any(text in str(caught.value) for text in ("xyzzy", cipher, OTHER))
        assert caught.value.__cause__ is None


def test_a_malformed_key_is_not_quoted() -> None:
    """What was meant to be a key may be one with a typo."""
    with pytest.raises(VaultError) as caught:
        Vault([OLD[:-3]])
    assert OLD[:-3] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_is_found_under_every_key_of_the_ring() -> None:
    """Stored under the first key; looked for under all until a rotation has ended."""
    stored = Vault([OLD]).fingerprint("token")

    assert stored in Vault([NEW, OLD]).fingerprints("token")
    assert stored not in Vault([NEW]).fingerprints("token")
    assert stored not in Vault([NEW, OLD]).fingerprints("token2")


def test_nothing_of_the_secret_shows() -> None:
    """Cipher, fingerprint and repr hold neither the secret nor the key; equal secrets differ."""
    vault = Vault([OLD])
    shown = [vault.encrypt("secret"), vault.encrypt("secret"), vault.fingerprint("secret")]

    assert len(set(shown)) == 3
    assert not any("secret" in text or OLD in text for text in [*shown, repr(vault)])
