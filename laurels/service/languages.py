"""The languages that the present reader prefers: a catalog with texts in several languages is read in the best of them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from laurels.engine.catalog import Catalog

_wanted: ContextVar[tuple[str, ...]] = ContextVar("wanted", default=())


@contextmanager
def in_language(*languages: str) -> Generator[None]:
    """Within it, what this task or thread reads has the catalog's texts in the first of these languages that the catalog has.

    Languages are tags such as "de" or "de-AT". A text without a translation is read in a broader language, else in the
    catalog's own. Events and adjustments count the same in all languages.

        with in_language("de-AT"):
            profile = await laurels.profile("ada")
    """
    token = _wanted.set(languages)
    try:
        yield
    finally:
        _wanted.reset(token)


def in_readers_language(catalog: Catalog) -> Catalog:
    """The catalog with its texts in the language of the present reader."""
    return catalog.in_language(*_wanted.get()) if catalog.other_languages else catalog
