"""What every resource needs: the facade, the settings, and who may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request

from laurels.app import Laurels
from laurels.http.answers import Scope
from laurels.http.requests import session_request
from laurels.sessions.base import Caller, Chain
from laurels.sessions.keys import name_of_key
from laurels.sessions.own import OwnSessions
from laurels.settings import Settings

HttpRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """One for each application."""

    laurels: Laurels
    settings: Settings
    sessions: OwnSessions
    chain: Chain
    document: bytes

    async def caller(self, scope: Scope) -> Caller:
        """The user who is calling. Raises Unauthorized."""
        return await self.chain.caller(session_request(scope))

    async def require_key(self, scope: Scope) -> str:
        """The name of the API key of the app's back end. Raises Unauthorized."""
        return await name_of_key(self.laurels.store, session_request(scope).bearer)


def context_of(request: HttpRequest) -> Context:
    """The context of the application that serves this request."""
    return cast(Context, request.app.state["context"])
