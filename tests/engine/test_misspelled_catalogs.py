"""Every misspelled or misplaced word of a catalog is answered with its place and the word that was meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.catalog_keys import CONDITIONS
from laurels.engine.catalog_keys.key_types import Key, KeyTable, OneOf, Text, Texts, tables_in
from laurels.errors import CatalogError, Fault
from tests.support import badge, catalog_text, count
from tests.support.catalog_keys import ALL_KEYS, ALL_TABLES, KEY_IDS, sample, with_key


def faults(text: str) -> list[Fault]:
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(text)
    return caught.value.faults


def misspelled(word: str) -> Iterator[str]:
    """The word without a letter, with two letters swapped, and with one more, each at the start, in the middle and at the end."""
    for at in sorted({0, len(word) // 2, len(word) - 1}):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + "x" + word[at:]
    for at in sorted({0, max(0, len(word) // 2 - 1), max(0, len(word) - 2)}):
        yield word[:at] + word[at : at + 2][::-1] + word[at + 2 :]


def misspellings(word: str) -> list[str]:
    return [one for one in dict.fromkeys(misspelled(word)) if one not in (word, "")]


@pytest.mark.parametrize(("table", "key"), ALL_KEYS, ids=KEY_IDS)
def test_a_misspelled_key_is_answered_with_the_right_one(table: KeyTable, key: Key) -> None:
    for word in misspellings(key.name):
        made = with_key(table, key)
        if word in {one.name for one in table.keys} or len(word) == 1:
            continue
        made.table[word] = made.table.pop(key.name)

        found = faults(made.text)

        at = [one for one in found if one.what == f"unknown key '{word}'"]
        assert [one.fix for one in at] == [f"did you mean '{key.name}'?"], (word, found)
        assert at[0].where.rpartition(".")[2] == word
        assert not [one for one in found if one.what == "is missing"], (word, found)


CHOICES = [
    (table, key, choice)
    for table, key in ALL_KEYS
    for one in (key.type.types if isinstance(key.type, OneOf) else (key.type,))
    if isinstance(one, Text | Texts)
    for choice in one.choices
]


@pytest.mark.parametrize(("table", "key", "choice"), CHOICES, ids=lambda one: str(getattr(one, "name", one)))
def test_a_misspelled_choice_is_answered_with_the_right_one(table: KeyTable, key: Key, choice: str) -> None:
    known = {one for _, same, one in CHOICES if same is key}
    for word in misspellings(choice):
        if word in known or len(word) == 1:
            continue
        made = with_key(table, key)
        made.table[key.name] = [word] if isinstance(key.type, Texts) else word

        found = [one for one in faults(made.text) if key.name in one.where]

        assert any("did you mean" in one.fix and word in one.what for one in found), (word, found)


@pytest.mark.parametrize(
    ("table", "key"), [one for one in ALL_KEYS if isinstance(one[1].type, Text) and one[1].type.names]
)
def test_a_misspelled_reference_is_answered_with_the_right_one(table: KeyTable, key: Key) -> None:
    right = str(with_key(table, key).table[key.name])
    for word in misspellings(right):
        made = with_key(table, key)
        made.table[key.name] = word

        (found,) = [one for one in faults(made.text) if one.where.endswith(key.name)]

        assert found.fix == f"did you mean '{right}'?"


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_key_of_another_table_is_answered_with_the_table_to_which_it_belongs(table: KeyTable) -> None:
    own = {key.name for key in table.keys}
    inside = {name for key in table.keys for name in tables_in(key.type)}
    for other, key in ALL_KEYS:
        if key.name in own or (key.name in CONDITIONS and table.name in CONDITIONS):
            continue
        made = sample(table)
        made.table[key.name] = 1

        found = next(one for one in faults(made.text) if one.what == f"unknown key '{key.name}'")

        there = "a condition, such as {" if other.name in CONDITIONS else other.heading
        right = [there, *(one.heading for one in ALL_TABLES if one.name in inside and one.key(key.name))]
        if any(kind.key(key.name) for kind in CONDITIONS.values()):
            right.append("a condition, such as {")
        assert any(one in found.fix for one in [*right, "did you mean"]), found


def fix_of(**tables: object) -> tuple[str, str]:
    (one,) = faults(catalog_text(**tables))
    return one.where, one.fix


MESSAGES = {"messages": count("message.sent")}


def test_a_key_of_a_sibling_names_both_tables() -> None:
    assert fix_of(metrics=MESSAGES, badges=[badge("b", points_of=1) | {"cap_per_day": 5}]) == (
        "badges[1] 'b'.cap_per_day",
        "it belongs to [metrics.NAME] or [[points]], not to [[badges]]",
    )


def test_what_belongs_into_a_condition_is_answered_with_one() -> None:
    made = badge("b", metric="messages", at_least=1)

    assert fix_of(metrics=MESSAGES, badges=[made | {"at_least": 5}])[1] == (
        'it belongs to a condition, such as { metric = "books", at_least = 10 }, not to [[badges]]'
    )


@pytest.mark.parametrize(
    ("condition", "fix"),
    [
        ({"metric": "messages", "at_lest": 1}, "did you mean 'at_least'?"),
        ({"metric": "messages"}, "add at_least = 10"),
        ({"streak": "login"}, "add streak_of = 7"),
        ({"metric": "login", "at_least": 1}, "it is the name of a streak; known are messages"),
        ({"streak": "messages", "streak_of": 1}, "it is the name of a metric; known are login"),
        ({"has_badge": "messages"}, "it is the name of a metric; known are b"),
        ({"all_fo": [{"points_of": 1}]}, "did you mean 'all_of'?"),
    ],
)
def test_a_wrong_condition_is_answered_with_its_fix(condition: dict[str, object], fix: str) -> None:
    assert fix_of(metrics=MESSAGES, badges=[badge("b", **condition)])[1] == fix


def test_a_leaderboard_of_a_name_of_another_kind_says_so() -> None:
    made = {"id": "talkers", "by": "streak", "of": "messages"}

    assert fix_of(metrics=MESSAGES, leaderboards=[made])[1] == "it is the name of a metric; known are login"


def test_a_misspelled_table_is_answered_first() -> None:
    found = faults(catalog_text(metric=MESSAGES, badges=[badge("b", metric="messages", at_least=1)]))

    assert [(one.where, one.fix) for one in found] == [
        ("metric", "did you mean 'metrics'?"),
        ("badges[1] 'b'.when.metric", "none are defined yet"),
    ]


def test_a_misspelled_table_is_answered_with_the_right_one() -> None:
    assert fix_of(badge=[badge("b", points_of=1)]) == ("badge", "did you mean 'badges'?")
    assert fix_of(freezes={"initial": 1})[1] == "it belongs to [streaks.NAME], not to the file"
