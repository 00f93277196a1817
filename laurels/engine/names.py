"""Display names: without characters that a page cannot show, or would show misleadingly."""

from __future__ import annotations

import re
from unicodedata import category

from laurels.engine.events import MAX_NAME, UNSAFE, check_text
from laurels.errors import InvalidInput

DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""They change the direction of the text around them."""

FLAG = "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
"""A flag of a region: a black flag, the region in tags, and the tag that ends it."""

UNSEEN = re.compile(
    f"({FLAG})"
    "|[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]"
    "|[\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters that are never visible: soft hyphens, zero-width spaces, fillers, tags. The tags of a flag are not removed."""

JOINERS = "\u200c\u200d"
SELECTORS = "\ufe00-\ufe0f"
IDLE = re.compile(
    rf"(?<![^\x00-\x7f\s{JOINERS}])[{JOINERS}]+|[{JOINERS}]+(?![^\x00-\x7f\s{JOINERS}])"
    rf"|(?<![^\x00-\x22\x24-\x29\x2b-\x2f\x3a-\x7f\s{SELECTORS}])[{SELECTORS}]+"
)
"""Joiners that are not between two characters that they can join (as in an emoji or in Persian), and variant selectors that do
not follow a character with variants (an emoji, or the digit of a keycap).
"""

BLANKS = "\u2800\ufffc\U0001d159\U00013441\U00013442"
"""Assigned as symbols or letters, and blank alone: the braille pattern without dots, the placeholder of an object, the null
notehead, blank hieroglyphs.
"""

NEW_EMOJI = range(0x1FA70, 0x1FB00)
"""Where Unicode adds emoji each year: those that this Python does not know yet are visible all the same."""


def clean_name(name: str) -> str:
    """A display name without control characters, invisible characters, and those that change the direction of text.

    Raises InvalidInput if nothing visible is left, or if it is too long.
    """
    cleaned = UNSEEN.sub(r"\1", DIRECTION_MARKS.sub("", UNSAFE.sub("", name)))
    cleaned = IDLE.sub("", cleaned).strip()
    if cleaned:
        check_visible("name", cleaned)
    check_text("name", cleaned, MAX_NAME)
    return cleaned


def check_visible(field: str, text: str) -> None:
    """Raise InvalidInput unless a page shows something of the text."""
    if not any(_is_visible(character) for character in text):
        raise InvalidInput(field, "must have a visible character")


def _is_visible(character: str) -> bool:
    """Whether a character is visible on its own: not a space, joiner, selector or combining mark, nor without a meaning."""
    if character in BLANKS:
        return False
    kind = category(character)
    return kind not in ("Zs", "Mn", "Me", "Cf", "Co", "Cn") or (kind == "Cn" and ord(character) in NEW_EMOJI)


def title_of(name: str) -> str:
    """The name of something without one: its id in words, as in 'Daily practice' for 'daily_practice'."""
    words = re.sub("[_-]+", " ", name).strip()
    return words[:1].upper() + words[1:] or name
