"""What an operator may do in the console: four roles, each with all that the one before may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from laurels.auth.identities import Identity
from laurels.engine.parsing import closest
from laurels.engine.values import plain
from laurels.errors import InvalidInput

Role = Literal["viewer", "support", "editor", "owner"]

ROLES: Mapping[str, str] = {
    "viewer": "read every page",
    "support": "change single users: adjustments, reversals, undoing, ending sessions",
    "editor": "change what concerns many users or stored results: catalog, amnesties, rebuilding a user; undo pending erasures",
    "owner": "everything, and whatever later versions reserve for owners",
}
"""Every role, from the one that may do the least, and what it adds."""

OWNER: Role = "owner"

_RANKS = {role: rank for rank, role in enumerate(ROLES)}


def may(role: str, needed: Role) -> bool:
    """Whether an operator with this role may do what needs that one. An unknown role may do nothing."""
    return _RANKS.get(role, -1) >= _RANKS[needed]


def read_role(name: str) -> Role:
    """The role of this name. Raises InvalidInput."""
    for role in ("viewer", "support", "editor", "owner"):
        if role == name:
            return role
    raise InvalidInput("--role", f"unknown role '{name}'; {closest(name, ROLES)}")


Requirement = Literal["none", "owner", "editor", "support", "all"]
"""From which role on something is required; or of all, or of none."""


def is_required(requirement: Requirement, role: str) -> bool:
    """Whether it is required of an operator with this role."""
    return requirement == "all" or (requirement != "none" and may(role, requirement))


@plain
class ListedRoles:
    """Which role someone has whom a proxy has signed in: by their name, or by a group."""

    names: Mapping[Role, Collection[str]]
    groups: Mapping[Role, Collection[str]]

    def role_of(self, identity: Identity) -> Role | None:
        """The highest role that lists the name or one of the groups; None if none does. Upper and lower case differ."""
        found: Role | None = None
        for role in get_args(Role):
            if identity.name in self.names.get(role, ()) or not identity.groups.isdisjoint(self.groups.get(role, ())):
                found = role
        return found
