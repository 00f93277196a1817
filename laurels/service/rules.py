"""Rules: the catalog in force."""

from __future__ import annotations

from laurels.engine.catalog import Catalog


class Rules:
    """Holds the catalog in force.

    A transaction or an answer reads `catalog` once, when it begins, and works under that catalog until it ends. So each is
    consistent, also while another catalog is put in force.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        return self._catalog

    def put_in_force(self, catalog: Catalog) -> None:
        """Replace the catalog for everything that begins from now on. Users are brought under it when next read or written."""
        self._catalog = catalog
