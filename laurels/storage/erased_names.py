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

_GREATEST = {NUMBER: 2**62}


def least_key(name: NamingTable) -> RowKey:
    """A key before every row's."""
    table, _ = NAMING[name]
    return tuple(-1 if table.kinds[column] == NUMBER else "" for column in table.key)


def greatest_key(table: Table) -> RowKey:
    """A key after every row's."""
    return tuple(_GREATEST.get(table.kinds[column], "\U0010ffff\U0010ffff") for column in table.key)


def in_details(references: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is replaced in the JSON of a detail: texts that are a value and an id, by references. Names of fields stay."""
    return [(f":{as_stored(user_id)}", f":{as_stored(reference)}") for user_id, reference in references.items()]
