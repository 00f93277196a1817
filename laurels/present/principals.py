"""Who did it: the principal that was authenticated, and for whom it says that it acted."""

from __future__ import annotations

from laurels.storage.contract import Principal

LIBRARY = "a program"
"""A Python program that gave no name."""


def who(principal: Principal | None, actor: str) -> str:
    """Who did it, in words: 'my-app', or 'my-app for anna' if the principal named someone else as the actor.

    The principal comes first always: the actor is only what it said. Without a principal, as in rows of earlier versions, it
    is the actor.
    """
    if principal is None:
        return actor
    name = name_of(principal)
    if not actor or actor == principal.name or principal.kind == "session":
        return name
    return f"{name} for {actor}"


def name_of(principal: Principal) -> str:
    """The principal in words. Users are called so, because a page about one says which.

    A name that a proxy gave is marked, because an admin key may have the same.
    """
    if principal.kind == "session":
        return "the user"
    if principal.kind == "proxy":
        return f"{principal.name} (by proxy)"
    return principal.name or LIBRARY
