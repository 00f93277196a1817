"""What every endpoint needs: the facade, the settings, and who is calling."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from laurels.auth.chain import Caller, Chain
from laurels.auth.failed_sign_ins import FailedSignIns
from laurels.auth.key_uses import KeyUses
from laurels.auth.keys import PREFIXES, verify_key
from laurels.auth.operators import OperatorSessions
from laurels.auth.scopes import KeyScope, check_scope
from laurels.auth.second_factors import SecondFactors
from laurels.auth.sessions import Sessions
from laurels.delivery.listeners import Listeners
from laurels.engine.values import plain
from laurels.errors import LaurelsError
from laurels.http.limits import Rate
from laurels.http.problems import TooManyRequests
from laurels.http.requests import credentials
from laurels.http.responses import Scope
from laurels.http.sources import address_of
from laurels.service.insights import Insights
from laurels.service.laurels import Laurels
from laurels.settings import Settings
from laurels.storage.contract import Principal
from laurels.telemetry.requests import RequestCounters

KEY_PREFIXES = tuple(PREFIXES.values())
"""The start of every key, of any kind."""


@plain
class Key:
    """The app's back end, by the name of its API key, and what this key may do."""

    name: str
    scopes: frozenset[str]

    @property
    def principal(self) -> Principal:
        """The key, as stored with what it changes."""
        return Principal("key", self.name)


@dataclass(frozen=True, slots=True)
class Context:
    """What all endpoints of one application share."""

    laurels: Laurels
    insights: Insights
    settings: Settings
    sessions: Sessions
    chain: Chain
    operators: OperatorSessions
    document: bytes
    key_rate: Rate
    session_rate: Rate
    sign_in_rate: Rate
    listeners: Listeners
    counters: RequestCounters
    key_uses: KeyUses
    failed_sign_ins: FailedSignIns
    second_factors: SecondFactors
    plans: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a plan of a catalog is made."""

    playground: str | None = None
    """The key of a demo's playground; None if there is none."""

    async def caller(self, scope: Scope) -> Caller:
        """The user who is calling. Raises Unauthorized, TooManyRequests."""
        caller = await self.chain.caller(credentials(scope))
        try:
            self.session_rate.take(caller.session or caller.user_id)
        except TooManyRequests as error:
            error.principal = caller.principal
            raise
        return caller

    async def known_caller(self, scope: Scope) -> Caller | Key | None:
        """Who is calling an address that is open to all; None without a valid session or key, or one above its rate."""
        try:
            return await self.caller_or_key(scope, None)
        except LaurelsError:  # the request gets the answer that it would get without this credential
            return None

    async def key(self, scope: Scope, needs: KeyScope | None) -> Key:
        """The API key of the app's back end, which has this scope.

        Raises Unauthorized, WrongAddress, TooManyRequests, MissingScope.
        """
        row = await verify_key(self.laurels.store, credentials(scope).bearer, self.laurels.clock, address_of(scope))
        key = Key(row.name, row.scopes)
        self.key_uses.add(row.name)
        try:
            self.key_rate.take(row.name)
        except TooManyRequests as error:
            error.principal = key.principal
            raise
        if needs:
            check_scope(row.scopes, needs)
        return key

    def charge(self, caller: Caller | Key, requests: int) -> None:
        """Count an admitted request as this number of requests more."""
        if isinstance(caller, Key):
            self.key_rate.charge(caller.name, requests)
        else:
            self.session_rate.charge(caller.session or caller.user_id, requests)

    async def caller_or_key(self, scope: Scope, needs: KeyScope | None) -> Caller | Key:
        """The user who is calling, or the app's back end, which sends its key.

        Raises Unauthorized, WrongAddress, TooManyRequests, MissingScope.
        """
        if (credentials(scope).bearer or "").startswith(KEY_PREFIXES):
            return await self.key(scope, needs)
        return await self.caller(scope)
