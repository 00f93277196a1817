from __future__ import annotations

import pytest

from laurels.engine.names import clean_name
from laurels.errors import InvalidInput

BLANK = ["\U0001d159", "\ufffc", "\U00013441", "\U00013442", "\u2800", "\ue000", "\U000f0000", "\U0010fffd", "\u0378"]
BLANK += ["\uffff", "\U0001fffe", "\ufffc \ue000\u0301", "\U000e1000"]


@pytest.mark.parametrize("name", BLANK, ids=ascii)
def test_a_name_that_shows_nothing_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="must have a visible character"):
        clean_name(name)


@pytest.mark.parametrize("name", BLANK, ids=ascii)
def test_such_characters_may_come_with_visible_ones(name: str) -> None:
    assert clean_name(f"Ada{name}").startswith("Ada")


@pytest.mark.parametrize("name", ["Ada", "李", "𓀀", "𝄞", "🫠", "\U0001fae9", "✓", "7", "-", "م", "\u00b4", "\u0bbf"])
def test_a_name_with_any_visible_character_is_taken(name: str) -> None:
    assert clean_name(name) == name
