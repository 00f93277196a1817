"""The log `laurels.security`: one line for each security event, for people and for programs that watch it.

A line has the event, the principal, the address, the id of the request and what it is about. It never has a secret: of a key
only its name or its first characters, of a session only its user. Lines about refusals are bounded, for any cause, because
strangers cause them; lines about what was done are never left out.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic

from laurels.storage.contract import AuditRow, Principal, Source, Store

log = logging.getLogger("laurels.security")

LINES_OF_ONE = 5
"""The most lines a second of one refusal from one address or principal, and about one key."""

LINES_OF_ALL = 50
"""The most lines a second of refusals that name no one."""

PLAIN = re.compile(r"[\w.:/@+-]+", re.ASCII)
LONGEST = 200
"""How much of a value is written."""

FAILURES = frozenset({"operator.sign_in_failed"})
"""Rows of the audit that are warnings."""


SHOWN = (
    *("role", "scopes", "hint", "key", "operator", "second_factor", "why", "fields", "adjustment", "rules", "sessions"),
    "session",
)
"""Details of rows that lines have. Reasons and actors are free text, and stay in the audit."""


class SecurityLog:
    """Writes security events of one process. `hashed`: ids of users are replaced by keyed hashes."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self.hashed = False
        self._store = store
        self._clock = clock
        self._second = -1
        self._lines = Counter[tuple[str, str, str]]()
        self._unnamed = 0
        self._left_out = Counter[str]()

    async def note(self, row: AuditRow) -> None:
        """Write what a row of the audit says."""
        target = row.target or ""
        if row.target_kind == "user":
            target = await self._user(target)
        fields = {row.target_kind: target} if row.target_kind else {}
        fields |= {name: str(row.detail[name]) for name in SHOWN if name in row.detail}
        source = (row.principal, row.address, row.request_id)
        await self.write(row.kind, *source, fields, is_failure=row.kind in FAILURES)

    async def adjusted(self, source: Source, event: str, user_id: str | None, **fields: str) -> None:
        """Write an adjustment, which is a row of its own in the audit; of many users at once without their ids."""
        of_user = {"user": await self._user(user_id)} if user_id else {}
        await self.write(event, source.principal, source.address, source.request_id, {**of_user, **fields})

    async def write(
        self,
        event: str,
        principal: Principal | None,
        address: str | None,
        request_id: str | None,
        fields: Mapping[str, str],
        *,
        is_failure: bool = False,
    ) -> None:
        """Write one line. Of refusals there may be too many in this second: then the number of those left out is written later.

        A refused key or operator who is named has lines of its own, so that others at the same address do not hide it.
        """
        named = named_in(fields) or (principal.name if principal and principal.kind != "session" else "")
        cause = address or (principal.name if principal else "")
        if is_failure and not self._has_room(event, cause, named):
            return
        first = {"event": event, "principal_kind": "", "principal": "", "address": address, "request_id": request_id}
        if principal:
            name = await self._user(principal.name) if principal.kind == "session" else principal.name
            first |= {"principal_kind": principal.kind, "principal": name}
        _emit({key: value for key, value in {**first, **fields}.items() if value}, is_failure=is_failure)

    def _has_room(self, event: str, cause: str, named: str) -> bool:
        """Count a line of this refusal. Returns whether it may be written now.

        Names are those of keys that were shown whole, or of operators whom the proxy has signed in, so there are few of them.
        """
        self._begin_second()
        key = (event, cause, named)
        if self._lines[key] >= LINES_OF_ONE or (not named and self._unnamed >= LINES_OF_ALL):
            self._left_out[event] += 1
            return False
        self._lines[key] += 1
        self._unnamed += not named
        return True

    async def save(self) -> None:
        """Write how many lines were left out in seconds that are over."""
        self._begin_second()

    def _begin_second(self) -> None:
        second = int(self._clock())
        if second != self._second:
            self.flush()
            self._second = second

    def flush(self) -> None:
        """Write how many lines were left out, and begin again."""
        for event, number in self._left_out.items():
            _emit({"event": event, "left_out": str(number)}, is_failure=True)
        self._lines.clear()
        self._unnamed = 0
        self._left_out.clear()

    async def _user(self, user_id: str) -> str:
        return (await self._store.keyring()).user_mark(user_id) if self.hashed else user_id


def named_in(fields: Mapping[str, str]) -> str:
    """The key or the operator that the details of a refusal name; '' for none."""
    return fields.get("operator") or fields.get("key") or ""


def _emit(fields: Mapping[str, str], *, is_failure: bool) -> None:
    cut = {key: value[:LONGEST] for key, value in fields.items()}
    text = " ".join(f"{key}={_quoted(value)}" for key, value in cut.items())
    log.log(logging.WARNING if is_failure else logging.INFO, "%s", text, extra={"fields": cut})


def _quoted(value: str) -> str:
    """A value on one line, without characters that a terminal or a reader of lines would take for something else."""
    return value if PLAIN.fullmatch(value) else json.dumps(value)
