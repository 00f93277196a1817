"""API keys, and sessions of users and operators, on SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

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
from laurels.storage.contract import AuditRow, KeyRow, OperatorSession, OperatorSessionRow, SecondFactorRow, SessionRow
from laurels.storage.sqlite.connections import Connections, insert, save_audit, translated
from laurels.storage.sqlite.driver import Connection, changed

ACTIVE_KEY = "SELECT 1 FROM api_keys WHERE name = ? AND revoked_at IS NULL"
ADD_KEY = insert(API_KEYS)
KEY = f"SELECT {API_KEYS} FROM api_keys WHERE key_hash = ? AND revoked_at IS NULL"
ANY_KEY = f"SELECT {API_KEYS} FROM api_keys WHERE key_hash = ?"
ALL_KEYS = f"SELECT {API_KEYS} FROM api_keys ORDER BY created_at, name"
USE_KEY = (
    "UPDATE api_keys SET last_used_at = ?1 WHERE name = ?2 AND revoked_at IS NULL AND coalesce(last_used_at, 0) < ?1"
)
REVOKE_KEY = "UPDATE api_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
ERASE_AT = "SELECT erase_at FROM users WHERE user_id = ?"
DROP_EXPIRED = "DELETE FROM sessions WHERE user_id = ? AND expires_at <= ?"
ADD_SESSION = insert(SESSIONS)
SESSION_END = "SELECT expires_at FROM sessions WHERE user_id = ? AND token_hash = ?"
SESSION_ENDS = """
SELECT s.user_id, s.token_hash, s.expires_at FROM json_each(?) r
JOIN sessions s ON s.user_id = r.value ->> 0 AND s.token_hash = unhex(r.value ->> 1)
"""
END_SESSION = "DELETE FROM sessions WHERE user_id = ? AND token_hash = ?"
SESSIONS_OF = """
SELECT token_hash, created_at, expires_at FROM sessions WHERE user_id = ? AND expires_at > ?
ORDER BY created_at DESC, token_hash LIMIT ?
"""
END_SESSIONS = "DELETE FROM sessions WHERE user_id = ?1 AND (?2 IS NULL OR token_hash = ?2) RETURNING expires_at"
DROP_EXPIRED_OPERATORS = "DELETE FROM operator_sessions WHERE expires_at <= ?"
ADD_OPERATOR_SESSION = insert(OPERATOR_SESSIONS)
SESSIONS_WITH_KEYS = f"""
SELECT {", ".join(f"s.{name}" for name in OPERATOR_SESSIONS.columns)}, {", ".join(f"k.{name}" for name in API_KEYS.columns)},
    EXISTS (SELECT 1 FROM second_factors f WHERE f.key_hash = s.key_hash)
FROM operator_sessions s LEFT JOIN api_keys k ON k.key_hash = s.key_hash AND k.revoked_at IS NULL
WHERE s.token_hash IN (SELECT unhex(value) FROM json_each(?))
"""
OPERATOR_SEEN = "UPDATE operator_sessions SET last_seen_at = ?1 WHERE token_hash = ?2 AND last_seen_at < ?1"
END_OPERATOR_SESSION = "DELETE FROM operator_sessions WHERE token_hash = ?"
SECOND_FACTOR = f"SELECT {SECOND_FACTORS} FROM second_factors WHERE key_hash = ?"
KEYS_WITH_SECOND_FACTOR = "SELECT key_hash FROM second_factors"
ADD_SECOND_FACTOR = f"{insert(SECOND_FACTORS)} ON CONFLICT (key_hash) DO NOTHING"
MARK_SESSION = "UPDATE operator_sessions SET second_factor = 1 WHERE token_hash = ?"
CHANGE_SECOND_FACTOR = """
UPDATE second_factors SET last_step = ?, recovery = ?, failed = ?, failed_at = ?, version = version + 1
WHERE key_hash = ? AND version = ?
"""
REMOVE_SECOND_FACTOR = "DELETE FROM second_factors WHERE key_hash = ?"
END_SESSIONS_OF_KEY = "DELETE FROM operator_sessions WHERE key_hash = ?"


class Access(Connections):
    """Keys and sessions."""

    async def add_key(self, key: KeyRow, audit: AuditRow | None = None) -> None:
        def add(writer: Connection) -> None:
            if writer.execute(ACTIVE_KEY, (key.name,)).fetchone():
                raise InvalidInput("name", f"an active key is named '{key.name}'; revoke it or choose another name")
            writer.execute(ADD_KEY, key_columns(key))
            save_audit(writer, [audit] if audit else ())

        await self._in_transaction(add)

    async def active_key(self, key_hash: bytes) -> KeyRow | None:
        with translated:
            row = self._reader.execute(KEY, (key_hash,)).fetchone()
        return key_of(row) if row else None

    async def any_key(self, key_hash: bytes) -> KeyRow | None:
        with translated:
            row = self._reader.execute(ANY_KEY, (key_hash,)).fetchone()
        return key_of(row) if row else None

    async def keys(self) -> Sequence[KeyRow]:
        with translated:
            return [key_of(row) for row in self._reader.execute(ALL_KEYS)]

    async def revoke_key(self, name: str, at: datetime, audit: AuditRow | None = None) -> bool:
        def revoke(writer: Connection) -> bool:
            has_changed = changed(writer, REVOKE_KEY, (to_micros(at), name))
            save_audit(writer, [audit] if audit and has_changed else ())
            return has_changed

        return await self._in_transaction(revoke)

    async def use_keys(self, names: Sequence[str], at: datetime) -> None:
        values = [(to_micros(at), name) for name in names]
        await self._in_transaction(lambda writer: writer.executemany(USE_KEY, values))

    async def add_session(self, user_id: str, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        def add(writer: Connection) -> None:
            check_stays(writer.execute(ERASE_AT, (user_id,)).fetchone())
            now = to_micros(created_at)
            writer.execute(DROP_EXPIRED, (user_id, now))
            writer.execute(ADD_SESSION, (user_id, token_hash, now, to_micros(expires_at)))

        await self._in_transaction(add)

    async def has_session(self, user_id: str, token_hash: bytes, now: datetime) -> bool:
        with translated:
            row = self._reader.execute(SESSION_END, (user_id, token_hash)).fetchone()
        return row is not None and row[0] > to_micros(now)

    async def valid_sessions(self, keys: Sequence[tuple[str, bytes]], now: datetime) -> Sequence[tuple[str, bytes]]:
        asked = json.dumps([(user_id, token_hash.hex()) for user_id, token_hash in keys])
        with translated:
            found = self._reader.execute(SESSION_ENDS, (asked,)).fetchall()
        valid = {(user_id, token_hash) for user_id, token_hash, end in found if end > to_micros(now)}
        return [key for key in keys if key in valid]

    async def end_session(self, user_id: str, token_hash: bytes) -> None:
        await self._in_transaction(lambda writer: writer.execute(END_SESSION, (user_id, token_hash)))

    async def sessions(self, user_id: str, now: datetime, limit: int) -> Sequence[SessionRow]:
        with translated:
            return [session_of(row) for row in self._reader.execute(SESSIONS_OF, (user_id, to_micros(now), limit))]

    async def end_sessions(
        self, user_id: str, now: datetime, token_hash: bytes | None = None, audit: AuditRow | None = None
    ) -> int:
        def end(writer: Connection) -> int:
            check_stays(writer.execute(ERASE_AT, (user_id,)).fetchone())
            found = writer.execute(END_SESSIONS, (user_id, token_hash)).fetchall()
            ended = sum(expires_at > to_micros(now) for (expires_at,) in found)
            save_audit(writer, of_ended(audit, ended))
            return ended

        return await self._in_transaction(end)

    async def add_operator_session(self, session: OperatorSessionRow) -> None:
        def add(writer: Connection) -> None:
            writer.execute(DROP_EXPIRED_OPERATORS, (to_micros(session.created_at),))
            writer.execute(ADD_OPERATOR_SESSION, operator_session_columns(session))

        await self._in_transaction(add)

    async def operator_sessions(self, token_hashes: Sequence[bytes]) -> Sequence[OperatorSession]:
        hashes = json.dumps([token_hash.hex() for token_hash in token_hashes])
        with translated:
            return [operator_session_of(row) for row in self._reader.execute(SESSIONS_WITH_KEYS, (hashes,))]

    async def operator_seen(self, token_hash: bytes, at: datetime) -> None:
        values = (to_micros(at), token_hash)
        await self._in_transaction(lambda writer: writer.execute(OPERATOR_SEEN, values))

    async def end_operator_session(self, token_hash: bytes) -> None:
        await self._in_transaction(lambda writer: writer.execute(END_OPERATOR_SESSION, (token_hash,)))

    async def second_factor(self, key_hash: bytes) -> SecondFactorRow | None:
        with translated:
            row = self._reader.execute(SECOND_FACTOR, (key_hash,)).fetchone()
        return second_factor_of(row) if row else None

    async def keys_with_second_factor(self) -> Sequence[bytes]:
        with translated:
            return [key_hash for (key_hash,) in self._reader.execute(KEYS_WITH_SECOND_FACTOR)]

    async def add_second_factor(self, factor: SecondFactorRow, token_hash: bytes, audit: AuditRow) -> bool:
        def add(writer: Connection) -> bool:
            if not changed(writer, ADD_SECOND_FACTOR, second_factor_columns(factor)):
                return False
            writer.execute(MARK_SESSION, (token_hash,))
            save_audit(writer, [audit])
            return True

        return await self._in_transaction(add)

    async def change_second_factor(self, factor: SecondFactorRow) -> bool:
        values = second_factor_changes(factor)
        return await self._in_transaction(lambda writer: changed(writer, CHANGE_SECOND_FACTOR, values))

    async def remove_second_factor(self, key_hash: bytes, audit: AuditRow) -> bool:
        def remove(writer: Connection) -> bool:
            if not changed(writer, REMOVE_SECOND_FACTOR, (key_hash,)):
                return False
            writer.execute(END_SESSIONS_OF_KEY, (key_hash,))
            save_audit(writer, [audit])
            return True

        return await self._in_transaction(remove)
