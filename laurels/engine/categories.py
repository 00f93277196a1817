"""Categories: what badges are grouped by where people read them. They decide nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from laurels.engine.events import MAX_NUMBER
from laurels.engine.parsing import Table


@dataclass(frozen=True, slots=True)
class Category:
    """A group of badges. `name` is for people; categories come by their `order`, those of the same one as in the file.

    `translated`: it is one of the contract's, with the name that our pages have in each of their languages.
    """

    id: str
    name: str
    order: int
    translated: bool = False


BUILT_IN: Mapping[str, Category] = {
    id_: Category(id_, name, order, translated=True)
    for order, (id_, name) in enumerate(
        [("onboarding", "First steps"), ("usage", "Usage"), ("social", "Community"), ("achievement", "Achievements")],
        start=1,
    )
}
"""The categories of the contract, which every catalog has."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""What an id may be made of: pages use it in links."""

LAST = MAX_NUMBER
"""The order of categories that say none: after all others."""


def read_categories(tables: Iterable[tuple[str, Table]]) -> dict[str, Category]:
    """The [categories.NAME] tables with the contract's four, in their order. A table may give one of the four another name."""
    found = dict(BUILT_IN)
    for id_, table in tables:
        known = BUILT_IN.get(id_)
        if not _PLAIN.fullmatch(id_):
            table.fault(
                "",
                "may have only letters, digits, '_' and '-' in its id",
                "write it as in [categories.my_group]",
            )
        order = table.integer("order", known.order if known else LAST, least=1)
        found[id_] = Category(id_, table.words("name"), order)
        table.done()
    return dict(sorted(found.items(), key=lambda item: item[1].order))
