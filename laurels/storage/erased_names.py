"""Where rows that are not of a user may have the user's id, as text that someone sent: what both engines replace it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from laurels.storage.columns import ADJUSTMENTS, AMNESTIES, AUDIT, CATALOG_REVISIONS, NUMBER, Table
from laurels.storage.contract import NamingTable, RowKey
from laurels.storage.searching import as_stored

NAMING: Mapping[NamingTable, tuple[Table, Sequence[tuple[str, str]]]] = {
    "adjustments": (ADJUSTMENTS, [("actor", "principal_name")]),
    "amnesties": (AMNESTIES, [("actor", "principal_name"), ("lifted_by", "lift_principal_name")]),
    "catalog_revisions": (CATALOG_REVISIONS, [("applied_by", "principal_name")]),
    "audit": (AUDIT, []),
}
"""Each table with its columns for who did something, and the principal's: one that both name is no user."""

TYPED_DETAILS = ("actor", "reason", "adjustment", "group", "operator", "key")
"""The details of the audit with ids, names and texts that someone typed. Values of the others, such as a role, name no user."""

_GREATEST = {NUMBER: 2**62}


def least_key(name: NamingTable) -> RowKey:
    """A key before every row's."""
    table, _ = NAMING[name]
    return tuple(-1 if table.kinds[column] == NUMBER else "" for column in table.key)


def greatest_key(table: Table) -> RowKey:
    """A key after every row's."""
    return tuple(_GREATEST.get(table.kinds[column], "\U0010ffff\U0010ffff") for column in table.key)


def in_details(references: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is replaced in the JSON of a detail: ids that are the value of one of these fields, by references."""
    return [
        (_field(name, user_id), _field(name, reference))
        for user_id, reference in references.items()
        for name in TYPED_DETAILS
    ]


def in_undos(references: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What is replaced in the JSON of adjustments that are undone, and what keeps it from that: a principal of that name."""
    return [
        (_field("actor", user_id), _field("actor", reference), _field("name", user_id))
        for user_id, reference in references.items()
    ]


def _field(name: str, value: str) -> str:
    """A field as it stands in JSON. A text cannot contain it, because its quotation marks would be escaped there."""
    return f"{as_stored(name)}:{as_stored(value)}"
