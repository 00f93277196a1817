"""Who may call an endpoint: how a request is admitted, and what the OpenAPI document says about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from laurels.auth.chain import Caller
from laurels.auth.scopes import KeyScope
from laurels.http.context import Context, Key
from laurels.http.responses import Scope

C = TypeVar("C")

Security = Sequence[dict[str, Any]]

BY_SESSION: Security = [{"sessionCookie": []}, {"sessionToken": []}]

REFUSALS = ("malformed", "unauthorized", "too-many-requests")
OF_KEYS = (*REFUSALS, "missing-scope", "wrong-address")


async def _anyone(context: Context, scope: Scope) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Access(Generic[C]):
    """Who may call.

    admit     identifies the caller; raises the error that the caller gets
    security  the same for the OpenAPI document; empty: open to all
    problems  the codes of the problems that `admit` raises
    """

    admit: Callable[[Context, Scope], Awaitable[C]]
    security: Security = ()
    problems: Sequence[str] = ()

    @property
    def is_public(self) -> bool:
        """Whether every request is admitted."""
        return self.admit is _anyone


PUBLIC: Access[None] = Access(_anyone)
SESSION: Access[Caller] = Access(Context.caller, BY_SESSION, REFUSALS)
ANY_SESSION: Access[None] = Access(_anyone, [*BY_SESSION, {}])
"""Open to all; a session may be sent, and it need not be valid."""


def by_key(scope: KeyScope) -> Access[Key]:
    """An API key with this scope."""
    return Access(partial(Context.key, needs=scope), [{"apiKey": [scope]}], OF_KEYS)


def by_session_or_key(scope: KeyScope) -> Access[Caller | Key]:
    """A user's session, or an API key with this scope."""
    return Access(partial(Context.caller_or_key, needs=scope), [*BY_SESSION, {"apiKey": [scope]}], OF_KEYS)
