"""Ranges of texts with the same prefix, by code point."""

from __future__ import annotations

from laurels.engine.events import MAX_USER_ID

LAST_CHARACTER = "\U0010ffff"
FIRST_SURROGATE, AFTER_SURROGATES = 0xD800, 0xE000  # no characters


def end_of_prefix(text: str) -> str:
    """The first text after all user ids that begin with this one, by code point."""
    prefix = text.rstrip(LAST_CHARACTER)
    if not prefix:
        return LAST_CHARACTER * (MAX_USER_ID + 1)
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(following if following != FIRST_SURROGATE else AFTER_SURROGATES)
