"""How keys and sessions of operators become rows and back, the same for every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from laurels.engine.instants import from_micros
from laurels.engine.instants import micros as to_micros
from laurels.errors import ErasurePending, UserNotFound
from laurels.storage.codec import Columns, maybe_instant, maybe_micros
from laurels.storage.contract import AuditRow, KeyRow, OperatorSession, OperatorSessionRow, SecondFactorRow, SessionRow


def key_of(row: Columns) -> KeyRow:
    """An API key, from API_KEYS."""
    key_hash, name, hint, created_at, revoked_at, used_at, scopes, role, expires_at, addresses = row
    revoked, used, expires = map(maybe_instant, (revoked_at, used_at, expires_at))
    networks = tuple(addresses.split())
    return KeyRow(key_hash, name, hint, from_micros(created_at), revoked, used, _words(scopes), role, expires, networks)


@lru_cache(maxsize=256)
def _words(text: str) -> frozenset[str]:
    """The words of a text. Keys have few different sets of scopes, and each request reads one."""
    return frozenset(text.split())


def key_columns(key: KeyRow) -> Columns:
    """API_KEYS of an API key."""
    until, used_at, expires_at = map(maybe_micros, (key.revoked_at, key.last_used_at, key.expires_at))
    may = (" ".join(sorted(key.scopes)), key.role, expires_at, " ".join(key.addresses))
    return (key.key_hash, key.name, key.hint, to_micros(key.created_at), until, used_at, *may)


def check_stays(user: Columns | None) -> None:
    """Check a user's `erase_at`, before their sessions are changed: raise UserNotFound without the user, ErasurePending."""
    if user is None:
        raise UserNotFound
    if user[0] is not None:
        raise ErasurePending(from_micros(user[0]))


def session_of(row: Columns) -> SessionRow:
    """A session of a user, from its hash, when it was created and when it expires."""
    token_hash, created_at, expires_at = row
    return SessionRow(token_hash, from_micros(created_at), from_micros(expires_at))


def of_ended(audit: AuditRow | None, ended: int) -> Sequence[AuditRow]:
    """The row of the audit for sessions that were ended; none if there were none."""
    return [replace(audit, detail={**audit.detail, "sessions": ended})] if audit and ended else ()


def operator_session_of(row: Columns) -> OperatorSession:
    """A session of the console, from OPERATOR_SESSIONS, API_KEYS of its key, and whether that has a second factor.

    The columns of the key are null if no active one has the hash.
    """
    token_hash, key_hash, created_at, last_seen_at, expires_at, with_factor, *key, needs_factor = row
    created, seen, expires = map(from_micros, (created_at, last_seen_at, expires_at))
    found = key_of(key) if key[0] is not None else None
    return OperatorSession(token_hash, key_hash, found, created, seen, expires, bool(with_factor), bool(needs_factor))


def operator_session_columns(session: OperatorSessionRow) -> Columns:
    """OPERATOR_SESSIONS of a session of the console."""
    times = (session.created_at, session.last_seen_at, session.expires_at)
    return (session.token_hash, session.key_hash, *map(to_micros, times), int(session.second_factor))


def second_factor_of(row: Columns) -> SecondFactorRow:
    """A second factor, from SECOND_FACTORS."""
    key_hash, secret, last_step, recovery, failed, failed_at, created_at, version = row
    at = (maybe_instant(failed_at), from_micros(created_at))
    return SecondFactorRow(bytes(key_hash), bytes(secret), last_step, bytes(recovery), failed, *at, version)


def second_factor_columns(factor: SecondFactorRow) -> Columns:
    """SECOND_FACTORS of a second factor."""
    counted = (factor.last_step, factor.recovery, factor.failed, maybe_micros(factor.failed_at))
    return (factor.key_hash, factor.secret, *counted, to_micros(factor.created_at), factor.version)


def second_factor_changes(factor: SecondFactorRow) -> Columns:
    """What may change in a second factor, its key, and the version that was read."""
    counted = (factor.last_step, factor.recovery, factor.failed, maybe_micros(factor.failed_at))
    return (*counted, factor.key_hash, factor.version)
