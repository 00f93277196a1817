"""What a transaction finds that it needs only while it decides. Then it is begun again with it."""

from __future__ import annotations


class HistoryNeeded(Exception):  # noqa: N818  # not a failure: the transaction is begun again
    """A decision needs everything about these users, which was not loaded."""

    def __init__(self, users: frozenset[str]) -> None:
        super().__init__(", ".join(sorted(users)))
        self.users = users
