"""Searching stored data for texts, for all engines."""

from __future__ import annotations

import re

import msgspec


def as_stored(text: str) -> str:
    """A text as it stands in the JSON of `codec.pack_data`, with its quotation marks."""
    return msgspec.json.encode(text).decode()


_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,19}")


def stored_forms(user_id: str) -> list[str]:
    """How a user's id may stand in the JSON of an event's data: as a text, or as a number that is a value or in a list.

    What is found need not be the id: 12345 is in 123456, too.
    """
    numbers = [f"{before}{user_id}" for before in ":[,"] if _WHOLE.fullmatch(user_id) else []
    return [as_stored(user_id), *numbers]
