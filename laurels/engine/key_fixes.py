"""Fixes of unknown keys in a catalog: the key that was meant, or the table to which one belongs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from laurels.engine.catalog_keys import CATALOG, CONDITION, CONDITIONS, TABLES
from laurels.engine.catalog_keys.key_types import ByKey, Inner, KeyTable, Named, Several, tables_in
from laurels.engine.parsing import Language, closest, nearest

NEAR = 0.8
"""How similar a key must be to one of its table to be taken for it, if it is also a key of another table."""


@dataclass(frozen=True, slots=True)
class FreeTable:
    """A table whose keys are free. `inner` are the tables in it."""

    inner: Language | None

    def inside(self, key: str, *, several: bool) -> Language | None:  # noqa: ARG002  # the same under every key
        """The tables under any key."""
        return self.inner

    def meant(self, key: str, asked: Collection[str]) -> str:  # noqa: ARG002  # no key is unknown
        """No key is misspelled."""
        return ""

    def fix(self, key: str, asked: Collection[str]) -> str:
        """The fix for a key that its reader does not know all the same."""
        return closest(key, asked)


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A table of the catalog's language, by its declaration; None for a condition, whose kind its own keys decide."""

    table: KeyTable | None

    def inside(self, key: str, *, several: bool) -> Language | None:
        """The tables under a key; None where none are declared."""
        found = self.table.key(key) if self.table else CONDITIONS[key].key(key) if key in CONDITIONS else None
        if found is None:
            return None
        name = next(iter(tables_in(found.type, *((Several, Named) if several else (Inner,)))), "")
        inner = DeclaredTable(None if name == CONDITION else TABLES[name]) if name else None
        return FreeTable(inner) if isinstance(found.type, ByKey) else inner

    def meant(self, key: str, asked: Collection[str]) -> str:
        """The key of this table that an unknown one was probably meant to be; '' without one."""
        known = self._keys(asked)
        return nearest(key, known, NEAR) if places_of(key) else nearest(key, known)

    def fix(self, key: str, asked: Collection[str]) -> str:
        """The fix for a key that this table does not have. `asked` are the keys that its reader asked for."""
        meant, places = self.meant(key, asked), places_of(key, self._inner()) or places_of(key)
        if meant:
            return f"did you mean '{meant}'?"
        if places:
            return f"it belongs to {places}, not to {self._heading}"
        return closest(key, self._keys(asked))

    @property
    def _heading(self) -> str:
        return self.table.heading if self.table else "this condition"

    def _inner(self) -> Collection[str]:
        """The tables inside it, which are the first ones to which a key may belong."""
        return [name for key in self.table.keys for name in tables_in(key.type)] if self.table else [CONDITION]

    def _keys(self, asked: Collection[str]) -> Collection[str]:
        """Its keys: for a condition those of its kind, which its reader asked for."""
        return [key.name for key in self.table.keys] if self.table else asked


WHOLE_FILE = DeclaredTable(CATALOG)


def places_of(key: str, among: Collection[str] = (*TABLES, CONDITION)) -> str:
    """To which of some tables a key belongs, in words; '' if none has it."""
    places = [table.heading for table in TABLES.values() if table.name in among and table.key(key)]
    conditions = [table.heading for table in CONDITIONS.values() if CONDITION in among and table.key(key)]
    places += [f"a condition, such as {heading}" for heading in conditions[:1]]
    return " or ".join([", ".join(places[:-1]), places[-1]] if len(places) > 1 else places)
