"""API keys, and sessions of users and operators, on PostgreSQL.

Each statement may be repeated when a lost connection leaves the first attempt in doubt: a row that exists already, under an id
made for it, is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from laurels.errors import InvalidInput
from laurels.storage.access import (
    check_stays,
    key_columns,
    key_of,
    of_ended,
    operator_session_columns,
    operator_session_of,
    second_factor_changes,
    second_factor_columns,
    second_factor_of,
    session_of,
)
from laurels.storage.codec import to_micros
from laurels.storage.columns import API_KEYS, OPERATOR_SESSIONS, SECOND_FACTORS, SESSIONS
from laurels.storage.contract import (
    CONNECTIONS,
    SCHEMA,
    AuditRow,
    KeyRow,
    OperatorSession,
    OperatorSessionRow,
    SecondFactorRow,
    SessionRow,
)
from laurels.storage.postgres.batching import Batcher
from laurels.storage.postgres.connections import Connections, insert, is_active, save_audit
from laurels.storage.postgres.pool import WRITE_SECONDS, Connection

ADD_KEY = f"{insert(API_KEYS)} ON CONFLICT (key_hash) DO NOTHING"
KEYS = f"SELECT {API_KEYS} FROM api_keys WHERE key_hash = ANY($1) AND revoked_at IS NULL"
ANY_KEYS = f"SELECT {API_KEYS} FROM api_keys WHERE key_hash = ANY($1)"
ALL_KEYS = f"SELECT {API_KEYS} FROM api_keys ORDER BY created_at, name"
USE_KEYS = """
UPDATE api_keys SET last_used_at = $1
WHERE name = ANY($2) AND revoked_at IS NULL AND coalesce(last_used_at, 0) < $1
"""
REVOKE_KEY = f"UPDATE api_keys SET revoked_at = $1 WHERE name = $2 AND {is_active('revoked_at')} RETURNING 1"
LOCK_USER = "SELECT erase_at FROM users WHERE user_id = $1 FOR SHARE"
"""Erasing this user, also later, waits until the transaction ends."""

DROP_EXPIRED = "DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2"
ADD_SESSION = f"{insert(SESSIONS)} ON CONFLICT (user_id, token_hash) DO NOTHING"
SESSION_ENDS = """
SELECT user_id, token_hash, expires_at FROM unnest($1::text[], $2::bytea[]) AS requested (user_id, token_hash)
JOIN sessions USING (user_id, token_hash)
"""
END_SESSION = "DELETE FROM sessions WHERE user_id = $1 AND token_hash = $2"
SESSIONS_OF = """
SELECT token_hash, created_at, expires_at FROM sessions WHERE user_id = $1 AND expires_at > $2
ORDER BY created_at DESC, token_hash LIMIT $3
"""
END_SESSIONS = """
DELETE FROM sessions WHERE user_id = $1 AND ($2::bytea IS NULL OR token_hash = $2) RETURNING token_hash, expires_at
"""
DROP_EXPIRED_OPERATORS = "DELETE FROM operator_sessions WHERE expires_at <= $1"
ADD_OPERATOR_SESSION = f"{insert(OPERATOR_SESSIONS)} ON CONFLICT (token_hash) DO NOTHING"
SESSIONS_WITH_KEYS = f"""
SELECT {", ".join(f"s.{name}" for name in OPERATOR_SESSIONS.columns)}, {", ".join(f"k.{name}" for name in API_KEYS.columns)},
    EXISTS (SELECT 1 FROM second_factors f WHERE f.key_hash = s.key_hash)
FROM operator_sessions s LEFT JOIN api_keys k ON k.key_hash = s.key_hash AND k.revoked_at IS NULL
WHERE s.token_hash = ANY($1)
"""
OPERATOR_SEEN = "UPDATE operator_sessions SET last_seen_at = $1 WHERE token_hash = $2 AND last_seen_at < $1"
END_OPERATOR_SESSION = "DELETE FROM operator_sessions WHERE token_hash = $1"
SECOND_FACTOR = f"SELECT {SECOND_FACTORS} FROM second_factors WHERE key_hash = $1"
KEYS_WITH_SECOND_FACTOR = "SELECT key_hash FROM second_factors"
ADD_SECOND_FACTOR = f"""
{insert(SECOND_FACTORS)} ON CONFLICT (key_hash) DO UPDATE SET version = second_factors.version
WHERE second_factors.secret = excluded.secret RETURNING 1
"""
"""The same secret is our own: it is random."""

MARK_SESSION = "UPDATE operator_sessions SET second_factor = 1 WHERE token_hash = $1"
CHANGE_SECOND_FACTOR = """
UPDATE second_factors SET last_step = $1, recovery = $2, failed = $3, failed_at = $4, version = version + 1
WHERE key_hash = $5 AND version = $6 RETURNING 1
"""
REMOVE_SECOND_FACTOR = "DELETE FROM second_factors WHERE key_hash = $1 RETURNING 1"
END_SESSIONS_OF_KEY = "DELETE FROM operator_sessions WHERE key_hash = $1"


class Access(Connections):
    """Keys and sessions."""

    def __init__(
        self, address: str, connections: int = CONNECTIONS, patience: float = WRITE_SECONDS, schema: str = SCHEMA
    ) -> None:
        super().__init__(address, connections, patience, schema)
        self._sessions = Batcher(self._read_session_ends)
        self._keys = Batcher(self._read_keys)
        self._any_keys = Batcher(self._read_any_keys)

    async def add_key(self, key: KeyRow, audit: AuditRow | None = None) -> None:
        async def add(connection: Connection) -> None:
            try:
                async with connection.transaction():
                    await connection.execute(ADD_KEY, *key_columns(key))
                    await save_audit(connection, [audit] if audit else ())
            except asyncpg.UniqueViolationError:
                message = f"an active key is named '{key.name}'; revoke it or choose another name"
                raise InvalidInput("name", message) from None

        await self._pool.run(add)

    async def active_key(self, key_hash: bytes) -> KeyRow | None:
        return await self._keys(key_hash)

    async def _read_keys(self, hashes: Sequence[bytes], statement: str = KEYS) -> Sequence[KeyRow | None]:
        keys = {key.key_hash: key for key in map(key_of, await self._rows(statement, [*{*hashes}]))}
        return [keys.get(key_hash) for key_hash in hashes]

    async def _read_any_keys(self, hashes: Sequence[bytes]) -> Sequence[KeyRow | None]:
        return await self._read_keys(hashes, ANY_KEYS)

    async def any_key(self, key_hash: bytes) -> KeyRow | None:
        return await self._any_keys(key_hash)

    async def keys(self) -> Sequence[KeyRow]:
        return [key_of(row) for row in await self._rows(ALL_KEYS)]

    async def revoke_key(self, name: str, at: datetime, audit: AuditRow | None = None) -> bool:
        return await self._end(REVOKE_KEY, at, name, audit=audit)

    async def use_keys(self, names: Sequence[str], at: datetime) -> None:
        await self._value(USE_KEYS, to_micros(at), names)

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        async def add(connection: Connection) -> None:
            now = to_micros(created_at)
            async with connection.transaction():
                check_stays(await connection.fetchrow(LOCK_USER, user_id))
                await connection.execute(DROP_EXPIRED, user_id, now)
                await connection.execute(ADD_SESSION, user_id, token_hash, now, to_micros(expires_at))

        await self._pool.run(add)

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        expires_at = await self._sessions((user_id, token_hash))
        return expires_at is not None and expires_at > to_micros(now)

    async def _read_session_ends(self, keys: Sequence[tuple[str, bytes]]) -> Sequence[int | None]:
        distinct = [*{*keys}]
        found = await self._rows(SESSION_ENDS, [user for user, _ in distinct], [token for _, token in distinct])
        ends: dict[tuple[str, bytes], int] = {(user_id, token): end for user_id, token, end in found}
        return [ends.get(key) for key in keys]

    async def valid_sessions(self, keys: Sequence[tuple[str, bytes]], now: datetime) -> Sequence[tuple[str, bytes]]:
        ends = await self._read_session_ends(keys)
        return [key for key, end in zip(keys, ends, strict=True) if end is not None and end > to_micros(now)]

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        await self._value(END_SESSION, user_id, token_hash)

    async def sessions(self, user_id: str, now: datetime, limit: int) -> Sequence[SessionRow]:
        return [session_of(row) for row in await self._rows(SESSIONS_OF, user_id, to_micros(now), limit)]

    async def end_sessions(
        self, user_id: str, now: datetime, token_hash: bytes | None = None, audit: AuditRow | None = None
    ) -> int:
        ended: set[bytes] = set()  # by all attempts: the commit of an earlier one may have been made

        async def end(connection: Connection) -> int:
            async with connection.transaction():
                check_stays(await connection.fetchrow(LOCK_USER, user_id))
                found = await connection.fetch(END_SESSIONS, user_id, token_hash)
                ended.update(row[0] for row in found if row[1] > to_micros(now))
                await save_audit(connection, of_ended(audit, len(ended)))
            return len(ended)

        return await self._pool.run(end)

    async def add_operator_session(self, session: OperatorSessionRow) -> None:
        await self._value(DROP_EXPIRED_OPERATORS, to_micros(session.created_at))
        await self._value(ADD_OPERATOR_SESSION, *operator_session_columns(session))

    async def operator_sessions(self, token_hashes: Sequence[bytes]) -> Sequence[OperatorSession]:
        return [operator_session_of(row) for row in await self._rows(SESSIONS_WITH_KEYS, token_hashes)]

    async def operator_seen(self, token_hash: bytes, at: datetime) -> None:
        await self._value(OPERATOR_SEEN, to_micros(at), token_hash)

    async def end_operator_session(self, token_hash: bytes) -> None:
        await self._value(END_OPERATOR_SESSION, token_hash)

    async def second_factor(self, key_hash: bytes) -> SecondFactorRow | None:
        rows = await self._rows(SECOND_FACTOR, key_hash)
        return second_factor_of(rows[0]) if rows else None

    async def keys_with_second_factor(self) -> Sequence[bytes]:
        return [key_hash for (key_hash,) in await self._rows(KEYS_WITH_SECOND_FACTOR)]

    async def add_second_factor(self, factor: SecondFactorRow, token_hash: bytes, audit: AuditRow) -> bool:
        async def add(connection: Connection) -> bool:
            async with connection.transaction():
                if not await connection.fetchval(ADD_SECOND_FACTOR, *second_factor_columns(factor)):
                    return False
                await connection.execute(MARK_SESSION, token_hash)
                await save_audit(connection, [audit])
            return True

        return await self._pool.run(add)

    async def change_second_factor(self, factor: SecondFactorRow) -> bool:
        return bool(await self._value(CHANGE_SECOND_FACTOR, *second_factor_changes(factor)))

    async def remove_second_factor(self, key_hash: bytes, audit: AuditRow) -> bool:
        async def remove(connection: Connection) -> bool:
            async with connection.transaction():
                if not await connection.fetchval(REMOVE_SECOND_FACTOR, key_hash):
                    return False
                await connection.execute(END_SESSIONS_OF_KEY, key_hash)
                await save_audit(connection, [audit])
            return True

        return await self._pool.run(remove)
