from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.aliases import ADJECTIVES, ANIMALS, alias


@given(st.binary(min_size=8, max_size=64))
def test_an_invented_name_is_an_adjective_an_animal_and_four_digits(seal: bytes) -> None:
    found = re.fullmatch(r"([A-Z][a-z]+) ([A-Z][a-z]+) (\d{4})", alias(seal))
    assert found
    assert found[1].lower() in ADJECTIVES
    assert found[2].lower() in ANIMALS
    assert alias(seal) == alias(seal)


def test_no_word_stands_twice() -> None:
    assert len({*ADJECTIVES}) == len(ADJECTIVES)
    assert len({*ANIMALS}) == len(ANIMALS)


def test_a_thousand_users_have_nearly_as_many_names() -> None:
    names = {alias(hashlib.sha256(str(number).encode()).digest()) for number in range(1000)}
    assert len(names) >= 998
    assert len({name.rsplit(" ", 1)[0] for name in names}) > 700
