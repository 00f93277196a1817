"""Tokens of plans: what a person saw, signed, so that exactly that is applied."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

import msgspec

from laurels.engine.catalog import Catalog
from laurels.engine.instants import from_micros
from laurels.errors import InvalidInput, PlanOutdated
from laurels.storage.contract import RevisionKey
from laurels.storage.secrets import Keyring

BEGINNING = "plan-"


class Totals(msgspec.Struct, array_like=True, frozen=True):
    """The totals of a plan: users, affected users, badges gained and lost, and points before and after."""

    users: int
    affected: int
    gained: int
    lost: int
    points_before: str
    points_after: str


class PlanToken(msgspec.Struct, array_like=True, frozen=True):
    """What a token says: the revision in force, the new catalog, when the plan was made, and its totals.

    The text of a catalog has its policies, so that its digest changes with them.
    """

    base_number: int
    base_digest: str
    digest: str
    rules: str
    at_micros: int
    totals: Totals
    silent: bool = False

    @property
    def base(self) -> RevisionKey:
        """The key of the revision that was in force."""
        return self.base_number, self.base_digest

    @property
    def at(self) -> datetime:
        """When the plan was made."""
        return from_micros(self.at_micros)


def token_text(keyring: Keyring, token: PlanToken) -> str:
    """The token as text, signed with a key of this database."""
    said = msgspec.json.encode(token)
    return f"{BEGINNING}{_encoded(said)}.{_encoded(keyring.plan_mark(said))}"


def read_token(keyring: Keyring, text: str) -> PlanToken:
    """What a token says. Raises InvalidInput for anything that this database did not sign."""
    said, _, mark = text.removeprefix(BEGINNING).partition(".")
    try:
        decoded, found = _decoded(said), _decoded(mark)
    except ValueError:
        decoded, found = b"", b""
    if not text.startswith(BEGINNING) or not keyring.is_plan_mark(decoded, found):
        raise InvalidInput("plan", "is not the token of a plan of this database; make one with 'laurels catalog plan'")
    return msgspec.json.decode(decoded, type=PlanToken)


def check_token(token: PlanToken, base: RevisionKey, catalog: Catalog, *, silent: bool) -> None:
    """Raise PlanOutdated if the plan was of another catalog or policy, or the revision in force is not the one it began from.

    If that catalog followed that revision already, because the same was sent twice, nothing is wrong.
    """
    if token.digest != catalog.digest:
        raise PlanOutdated("the plan is of another catalog than this one; make a plan of this one")
    if token.silent != silent:
        said, now = ("silent", "announced") if token.silent else ("announced", "silent")
        raise PlanOutdated(f"the plan was for a change that is {said}, and this one is {now}; make another plan")
    if token.base != base and base != (token.base_number + 1, token.digest):
        now = f"revision {base[0]}" if base[0] else "no revision"
        raise PlanOutdated(
            f"the plan began from revision {token.base_number}, and {now} is in force now; make another plan"
        )


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
