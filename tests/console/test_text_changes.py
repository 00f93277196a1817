"""The usual changes of a catalog's text: what is around them stays, byte by byte."""

from __future__ import annotations

import tomllib
from difflib import unified_diff
from typing import Any

import pytest

from laurels.console.places import line_of, line_of_path
from laurels.console.text_changes import target_of, targets, with_badge, with_number_in_text, with_values
from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, InvalidInput

TEXT = '''# top
name = "club"

[metrics.m]
kind = "count"
events = [
  "m",
  "[x]",    # not a header
]
one = "m"
many = """ms
"""

[[badges]]
id = "a"
name = "A"
points = 5      # five
when = { all_of = [
  { metric = "m", at_least = 1 },   # one
  { metric = "m", at_least = 2 },
] }

# ---- the second
[[badges]]
id = "b"
name.de = "B"
points = 6
[badges.when]
metric = "m"    # em
at_least = 3

# ---- the end
[[leaderboards]]
id = "x"
name = "X"
'''
DEFAULT = Catalog.default().text


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that differ, each after its sign."""
    lines = unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_a_number_is_replaced_and_its_comment_stays() -> None:
    assert changed_lines(TEXT, with_values(TEXT, {("badges", 0, "points"): 7})) == [
        "-points = 5      # five",
        "+points = 7      # five",
    ]
    path = ("badges", 0, "when", "all_of", 0, "at_least")
    assert changed_lines(TEXT, with_values(TEXT, {path: 9})) == [
        '-  { metric = "m", at_least = 1 },   # one',
        '+  { metric = "m", at_least = 9 },   # one',
    ]


def test_a_key_that_was_not_there_follows_the_changed_one() -> None:
    after = with_values(TEXT, {("badges", 0, "points"): 7, ("badges", 0, "past"): "recompute"})
    assert changed_lines(TEXT, after) == [
        "-points = 5      # five",
        "+points = 7      # five",
        '+past = "recompute"',
    ]
    after = with_values(TEXT, {("badges", 1, "when", "at_least"): 4, ("badges", 1, "holders"): "lose"})
    assert changed_lines(TEXT, after) == ['+holders = "lose"', "-at_least = 3", "+at_least = 4"]


def test_a_text_with_quotes_and_signs_is_written_as_it_is_read() -> None:
    said = 'He said: "2 < 3" \\ \N{SMILING FACE WITH SUNGLASSES}\tend'
    after = with_values(TEXT, {("badges", 1, "name", "de"): said})

    assert tomllib.loads(after)["badges"][1]["name"]["de"] == said
    assert len(changed_lines(TEXT, after)) == 2


def test_a_badge_is_added_after_the_last_one() -> None:
    after = with_badge(TEXT, {"id": "c", "name": 'The "C"', "points": 3, "when": {"metric": "m", "at_least": 3}})

    assert [line for line in changed_lines(TEXT, after) if line != "+"] == [
        "+[[badges]]",
        '+id = "c"',
        '+name = "The \\"C\\""',
        "+points = 3",
        '+when = { metric = "m", at_least = 3 }',
    ]
    assert after.index('id = "c"') < after.index("# ---- the end")


@pytest.mark.parametrize("text", ["", "a = 1\n", 'badges = [{ id = "a" }]\n[x]\ny = 1\n'])
def test_a_badge_is_added_where_there_is_no_table_of_one(text: str) -> None:
    after = tomllib.loads(with_badge(text, {"id": "c", "when": {"at_least": 3}}))

    assert after.pop("badges")[-1] == {"id": "c", "when": {"at_least": 3}}
    before = tomllib.loads(text)
    before.pop("badges", None)
    assert after == before


def test_every_target_of_the_default_catalog_can_be_changed_alone() -> None:
    for kind, new in (("points", 12_345), ("threshold", 12_345), ("text", "Another")):
        found = targets(DEFAULT, kind)
        assert len({one.key for one in found}) == len(found) > 5
        for one in found:
            after = with_values(DEFAULT, {one.path: new})
            assert target_of(after, kind, one.key).value == new
            pairs = zip(DEFAULT.split("\n"), after.split("\n"), strict=True)
            assert sum(old != new for old, new in pairs) == 1, one.key


def test_what_may_be_changed_is_named() -> None:
    assert [(one.key, one.label, one.value) for one in targets(TEXT, "threshold")] == [
        ("badges/0/when/all_of/0/at_least", "badges 'a': metric m, at_least", 1),
        ("badges/0/when/all_of/1/at_least", "badges 'a': metric m, at_least", 2),
        ("badges/1/when/at_least", "badges 'b': metric m, at_least", 3),
    ]
    assert ("badges/1/name/de", "badges 'b': name.de", "B") in [
        (one.key, one.label, one.value) for one in targets(TEXT, "text")
    ]
    with pytest.raises(InvalidInput, match="not in the text any more"):
        target_of(TEXT, "points", "badges/9/points")


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        ("100 messages", 100, 20, "20 messages"),
        ("Send 1,000 of 1000, not 10000 or 1.1000", 1000, 2500, "Send 2,500 of 2500, not 10000 or 1.1000"),
        ("Be first", 1, 2, "Be first"),
        ("3 in 3.5 days, 3.", 3, 4, "4 in 3.5 days, 4."),
    ],
)
def test_a_number_in_a_sentence_is_replaced_where_it_stands_alone(text: str, old: int, new: int, after: str) -> None:
    assert with_number_in_text(text, old, new) == after


# ---- the lines of faults ----------------------------------------------------------------------


def test_faults_name_the_line_of_their_key_or_of_what_is_around_it() -> None:
    text = DEFAULT.replace('one = "agent"', 'oen = "agent"').replace("at_least = 1000 }", 'at_least = "x" }')
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(text)
    lines = text.split("\n")
    found = {fault.where: lines[line_of(fault.where, fault.what, text) - 1].strip() for fault in caught.value.faults}

    assert found["metrics.agents.oen"] == 'oen = "agent"'
    assert found["badges[4] 'message_1000'.when.at_least"] == 'when = { metric = "messages", at_least = "x" }'


@pytest.mark.parametrize(
    ("where", "what", "line"),
    [
        ("badges[2] 'b'.when.at_least", "", TEXT.split("\n").index("at_least = 3") + 1),
        ("badges 'b'", "", TEXT.split("\n").index('id = "b"')),
        ("badges[1] 'a'.category", "is missing", TEXT.split("\n").index('id = "a"')),
        ("metrics.m.many", "", TEXT.split("\n").index('many = """ms') + 1),
        ("the file", "is not TOML: Invalid value (at line 3, column 1)", 3),
        ("line 7", "has brackets in too many others", 7),
        ("profile", "is missing", 0),
    ],
)
def test_the_line_of_a_place(where: str, what: str, line: int) -> None:
    assert line_of(where, what, TEXT) == line


@pytest.mark.parametrize("text", ["[[[", "]]]", '"""', "[[badges]", "{{", "= =", "'''\n[[badges]]", "\n" * 50])
def test_a_text_that_is_no_catalog_has_lines_all_the_same(text: str) -> None:
    for where in ("badges[1] 'x'.points", "badges 'x", "...", "", "[", "a[99999999999]"):
        assert 0 <= line_of(where, "", text) <= text.count("\n") + 1
    assert line_of_path(text, ("nothing",)) == 0


def test_lines_are_found_fast_in_long_texts() -> None:
    """Work that grows with the square of the text would take minutes here."""
    text: Any = "[[badges]]\n" + "a = [" + "[" * 90_000 + "\n" * 9_000 + '"""' + "\nx = 1" * 10_000
    assert line_of("badges[1].a", "", text) in (1, 2)
