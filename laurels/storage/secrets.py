"""What the database's secret protects: hashes of erased users, references to users, pseudonyms, and sealed cursors."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from laurels.engine.metrics import REFERENCE

CIPHER_BLOCK = 64
CIPHER_MARK = 16
REFERENCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of a database, one for each use: those in a file (secret_file.py), or its own secret for all uses.

    tombstones   for hashes of erased users; the first one makes new hashes, and all of them are looked up
    cursors      the first one encrypts, and each of them decrypts
    plans        for tokens of plans: the first one signs, and each of them verifies
    references   the same ones after a rotation, because stored references must stay equal
    pseudonyms   the same ones after a rotation, unless other names are asked for
    log          for users in the security log
    fingerprint  which newest key these are of, as the database stores it
    in_database  whether they come from a secret that the database has, and not from a file
    """

    tombstones: tuple[bytes, ...]
    cursors: tuple[bytes, ...]
    plans: tuple[bytes, ...]
    references: bytes
    pseudonyms: bytes
    log: bytes
    fingerprint: bytes
    in_database: bool = False

    @classmethod
    def of_secret(cls, secret: bytes) -> Self:
        """Those of a database with a secret of its own."""
        return cls((secret,), (secret,), (secret,), secret, secret, secret, fingerprint(secret), in_database=True)

    def is_of(self, stored: bytes | None) -> bool:
        """Whether a database with this fingerprint (None: without one) has no newer key than these."""
        return stored == self.fingerprint or (stored is None and self.in_database)

    def tombstone(self, user_id: str) -> bytes:
        """What remains of a user who is erased now."""
        return tombstone(self.tombstones[0], user_id)

    def tombstones_of(self, user_id: str) -> list[bytes]:
        """What may remain of a user who was erased: a hash for each key, the newest first."""
        return [tombstone(key, user_id) for key in self.tombstones]

    def database_mark(self) -> str:
        """See `database_mark`. It stays the same when the key is rotated, as earlier hashes stay."""
        return database_mark(self.tombstones[-1])

    def reference(self, user_id: str) -> str:
        """See `user_reference`."""
        return user_reference(self.references, user_id)

    def pseudonym_hash(self, user_id: str) -> bytes:
        """See `pseudonym_hash`."""
        return pseudonym_hash(self.pseudonyms, user_id)

    def user_mark(self, user_id: str) -> str:
        """See `user_mark`."""
        return user_mark(self.log, user_id)

    def plan_mark(self, said: bytes) -> bytes:
        """See `plan_mark`."""
        return plan_mark(self.plans[0], said)

    def is_plan_mark(self, said: bytes, mark: bytes) -> bool:
        """Whether one of the keys made this signature."""
        return any(hmac.compare_digest(mark, plan_mark(key, said)) for key in self.plans)

    def encrypted(self, plain: bytes) -> bytes:
        """See `encrypted`."""
        return encrypted(self.cursors[0], plain)

    def decrypted(self, sealed: bytes) -> bytes:
        """What was encrypted with one of the keys. Raises ValueError."""
        for key in self.cursors[:-1]:
            try:
                return decrypted(key, sealed)
            except ValueError:
                continue
        return decrypted(self.cursors[-1], sealed)


def hkdf(key: bytes, info: bytes, salt: bytes = b"", length: int = 32) -> bytes:
    """HKDF with SHA-256 (RFC 5869): a key for the use that `info` names."""
    extracted = hmac.digest(salt or bytes(hashlib.sha256().digest_size), key, hashlib.sha256)
    block = made = b""
    while len(made) < length:
        block = hmac.digest(extracted, block + info + bytes([len(made) // len(extracted) + 1]), hashlib.sha256)
        made += block
    return made[:length]


def fingerprint(key: bytes) -> bytes:
    """What a database stores of its newest key. It does not reveal the key."""
    return hkdf(key, b"laurels fingerprint")


def tombstone(secret: bytes, user_id: str) -> bytes:
    """What remains of an erased user. Without the secret, it does not reveal the user."""
    return hmac.digest(secret, user_id.encode(), hashlib.sha256)


def database_mark(secret: bytes) -> str:
    """What tells databases apart whose tombstones cannot be compared. It does not reveal the secret."""
    return hmac.digest(secret, b"list of erasures", hashlib.sha256)[:16].hex()


def erased_mark(digest: bytes) -> str:
    """A tombstone as text, as the audit has it. In capitals, so that no id can be found in it by chance."""
    return digest.hex().upper()


def pseudonym_hash(secret: bytes, user_id: str) -> bytes:
    """A hash from which a pseudonym is made. Without the secret, it does not reveal the user."""
    return hmac.digest(secret, b"alias " + user_id.encode(), hashlib.sha256)


def user_reference(secret: bytes, user_id: str) -> str:
    """What is stored of a user whom another user's event names. Without the secret, it does not reveal the user."""
    named = b"reference " + user_id.encode("utf-8", "surrogatepass")
    return REFERENCE + hmac.digest(secret, named, hashlib.sha256)[:REFERENCE_BYTES].hex()


def plan_mark(secret: bytes, said: bytes) -> bytes:
    """The signature of what the token of a plan says."""
    return hmac.digest(secret, b"catalog plan " + said, hashlib.sha256)


def user_mark(secret: bytes, user_id: str) -> str:
    """What a log may have instead of a user's id. Without the secret, it does not reveal the user."""
    return "user-" + hmac.digest(secret, b"log " + user_id.encode("utf-8", "surrogatepass"), hashlib.sha256)[:8].hex()


def encrypted(secret: bytes, plain: bytes) -> bytes:
    """Bytes that only `decrypted` with this secret can read. Equal input gives equal output, padded to blocks of 64 bytes.

    The first 16 bytes are an HMAC of the padded input. It is the seed of the key stream (SHAKE-256), and proves on reading
    that the bytes were made here.
    """
    padded = plain + b"\x80" + bytes(-(len(plain) + 1) % CIPHER_BLOCK)
    mark = _mark(secret, padded)
    return mark + _with_stream(secret, mark, padded)


def decrypted(secret: bytes, sealed: bytes) -> bytes:
    """The bytes that were encrypted. Raises ValueError for anything else, or for another secret."""
    mark, hidden = sealed[:CIPHER_MARK], sealed[CIPHER_MARK:]
    padded = _with_stream(secret, mark, hidden)
    if not hidden or not hmac.compare_digest(mark, _mark(secret, padded)):
        raise ValueError("this was not encrypted with this secret")
    return padded.rstrip(b"\x00")[:-1]


def _mark(secret: bytes, padded: bytes) -> bytes:
    return hmac.digest(secret, b"cipher mark " + padded, hashlib.sha256)[:CIPHER_MARK]


def _with_stream(secret: bytes, mark: bytes, text: bytes) -> bytes:
    """This text combined with the key stream of the mark by exclusive or; doing it twice gives the text again."""
    key = hmac.digest(secret, b"cipher stream", hashlib.sha256)
    stream = hashlib.shake_256(key + mark).digest(len(text))
    return bytes(byte ^ other for byte, other in zip(text, stream, strict=True))
