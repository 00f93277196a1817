"""What every resource needs: the facade, the settings, and who may call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from litestar import Request

from laurels.auth.chain import Caller, Chain
from laurels.auth.keys import PREFIXES, name_of_key
from laurels.auth.sessions import Sessions
from laurels.delivery.listeners import Listeners
from laurels.http.answers import Scope
from laurels.http.limits import Rate
from laurels.http.requests import session_request
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from laurels.settings import Settings

HttpRequest = Request[Any, Any, Any]

KEY_PREFIXES = tuple(PREFIXES.values())
"""How a bearer token begins that is a key, of whatever role."""


@dataclass(frozen=True, slots=True)
class Context:
    """One for each application."""

    laurels: Laurels
    insights: Insights
    settings: Settings
    sessions: Sessions
    chain: Chain
    document: bytes
    key_rate: Rate
    session_rate: Rate
    sign_in_rate: Rate
    listeners: Listeners
    playground: str | None = None
    """The key of a demo's playground; None where there is none."""

    async def caller(self, scope: Scope) -> Caller:
        """The user who is calling. Raises Unauthorized, TooManyRequests."""
        caller = await self.chain.caller(session_request(scope))
        self.session_rate.take(caller.session or caller.user_id)
        return caller

    async def caller_or_key(self, scope: Scope) -> Caller | None:
        """The user who is calling; None for the app's back end, which sends its key. Raises as the two others do."""
        if (session_request(scope).bearer or "").startswith(KEY_PREFIXES):
            await self.require_key(scope)
            return None
        return await self.caller(scope)

    async def require_key(self, scope: Scope) -> str:
        """The name of the API key of the app's back end. Raises Unauthorized, TooManyRequests."""
        name = await name_of_key(self.laurels.store, session_request(scope).bearer)
        self.key_rate.take(name)
        return name


def context_of(request: HttpRequest) -> Context:
    """The context of the application that serves this request."""
    return cast(Context, request.app.state["context"])
