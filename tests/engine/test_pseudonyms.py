from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from laurels.engine.pseudonyms import ADJECTIVES, ANIMALS, NUMBERS, pseudonym, pseudonym_id


@given(st.binary(min_size=8, max_size=64))
def test_a_pseudonym_is_an_adjective_an_animal_and_four_digits(seal: bytes) -> None:
    found = re.fullmatch(r"([A-Z][a-z]+) ([A-Z][a-z]+) (\d{4})", pseudonym(seal))
    assert found
    assert found[1].lower() in ADJECTIVES
    assert found[2].lower() in ANIMALS
    assert pseudonym(seal) == pseudonym(seal)


def test_no_word_is_listed_twice() -> None:
    assert len({*ADJECTIVES}) == len(ADJECTIVES)
    assert len({*ANIMALS}) == len(ANIMALS)


def test_a_thousand_users_have_nearly_as_many_names() -> None:
    names = {pseudonym(hashlib.sha256(str(number).encode()).digest()) for number in range(1000)}
    assert len(names) >= 998
    assert len({name.rsplit(" ", 1)[0] for name in names}) > 700


def test_two_users_with_one_pseudonym_have_two_ids() -> None:
    names = len(ADJECTIVES) * len(ANIMALS) * NUMBERS
    here, there = (
        number.to_bytes(8, "big") + hashlib.sha256(bytes([number % 251])).digest() for number in (7, names + 7)
    )
    assert pseudonym(here) == pseudonym(there)
    assert pseudonym_id(here) != pseudonym_id(there)
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d{4}-[0-9a-f]{16}", pseudonym_id(here))


def test_no_two_of_many_users_share_an_id() -> None:
    seals = [hashlib.sha256(str(number).encode()).digest() for number in range(40_000)]
    assert len({pseudonym(seal) for seal in seals}) < len(seals)
    assert len({pseudonym_id(seal) for seal in seals}) == len(seals)
