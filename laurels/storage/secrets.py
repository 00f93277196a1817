"""What the database's secret protects: hashes of erased users, references to users, pseudonyms, and sealed cursors."""

from __future__ import annotations

import hashlib
import hmac

from laurels.engine.metrics import REFERENCE

CIPHER_BLOCK = 64
CIPHER_MARK = 16
REFERENCE_BYTES = 16


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
