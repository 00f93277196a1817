"""Searching stored data for texts, for all engines."""

from __future__ import annotations

import msgspec


def as_stored(text: str) -> str:
    """A text as it stands in the JSON of `codec.pack_data`, with its quotation marks."""
    return msgspec.json.encode(text).decode()
