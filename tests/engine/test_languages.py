"""Texts in several languages: how they are read, chosen, compared and warned of. They decide nothing."""

from __future__ import annotations

from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.engine.differences import differences
from laurels.engine.languages import best_language, is_tag, usual_tag
from laurels.engine.progress import Progress
from laurels.engine.warnings import warnings
from laurels.errors import CatalogError
from tests.support import badge, catalog, catalog_text, count

BOOKWORM: dict[str, Any] = {
    **badge("bookworm", 50, metric="books", at_least=10),
    "name": {"en": "Bookworm", "de": "Leseratte", "de-AT": "Bücherwurm"},
    "description": {"en": "Finish 10 books", "de": "Lies 10 Bücher"},
    "condition": {"en": "10 books", "de": "10 Bücher"},
}
TABLES: dict[str, Any] = {
    "name": {"en": "Reading club", "de": "Leseclub"},
    "metrics": {
        "books": count("book.finished", one={"en": "book", "de": "Buch"}, many={"en": "books", "de": "Bücher"})
    },
    "streaks": {"daily": {"events": ["book.finished"], "title": {"en": "Every day", "de": "Jeden Tag"}}},
    "categories": {"reading": {"name": {"en": "Reading", "de": "Lesen"}}},
    "levels": {
        "count": 3,
        "first": 10,
        "title": {"en": "Level {number}", "de": "Stufe {number}"},
        "titles": {"1": {"en": "Newcomer", "de": "Neuling"}},
    },
    "badges": [
        BOOKWORM,
        {
            **badge("hidden", has_badge="bookworm"),
            "secret": True,
            "locked": {"name": {"en": "Wait", "de": "Warte"}, "description": {"en": "Soon", "de": "Bald"}},
        },
        badge("both", all_of=[{"has_badge": "bookworm"}, {"has_badge": "hidden"}]),
    ],
    "leaderboards": [{"id": "weekly", "name": {"en": "This week", "de": "Diese Woche"}, "period": "week"}],
}
CLUB = catalog(**TABLES)


def faults(**tables: Any) -> list[str]:
    with pytest.raises(CatalogError) as raised:
        Catalog.parse(catalog_text(**tables))
    return [f"{fault.where}: {fault.what}; {fault.fix}" for fault in raised.value.faults]


def with_name(name: Any, **more: Any) -> dict[str, Any]:
    return {"metrics": TABLES["metrics"], "badges": [{**BOOKWORM, "name": name}], **more}


# ---- reading ----------------------------------------------------------------------------------


def test_every_text_that_users_read_has_a_version_in_each_language() -> None:
    german = CLUB.in_language("de")

    assert (CLUB.name, german.name) == ("Reading club", "Leseclub")
    assert [(one.name, one.description, one.condition_text) for one in (CLUB.badges[0], german.badges[0])] == [
        ("Bookworm", "Finish 10 books", "10 books"),
        ("Leseratte", "Lies 10 Bücher", "10 Bücher"),
    ]
    assert (german.badges[1].locked.name, german.badges[1].locked.description) == ("Warte", "Bald")
    assert [level.title for level in german.levels.all] == ["Neuling", "Stufe 2", "Stufe 3"]
    assert [level.title for level in CLUB.levels.all] == ["Newcomer", "Level 2", "Level 3"]
    assert german.streaks["daily"].title == "Jeden Tag"
    assert german.categories["reading"].name == "Lesen"
    assert german.boards["weekly"].name == "Diese Woche"
    assert [check.text for check in german.badges[0].condition.checks(Progress(), {})] == ["10 Bücher"]
    assert [step.missing for step in german.badges[0].condition.steps(Progress(), {})] == ["10 more Bücher"]
    assert [check.text for check in german.badges[2].condition.checks(Progress(), {})] == [
        "the badge Leseratte",
        "the badge Warte",
    ]


def test_only_texts_differ_between_languages() -> None:
    german, plain = CLUB.in_language("de"), catalog(**{**TABLES, "name": "x", "badges": [{**BOOKWORM, "name": "x"}]})

    assert german.rules == CLUB.rules
    assert plain.rules == catalog(**{**TABLES, "badges": [BOOKWORM]}).rules
    assert (german.text, german.digest, german.texts) == (CLUB.text, CLUB.digest, CLUB.texts)
    assert german.in_language("en").badges == CLUB.badges
    assert german.in_language() == CLUB
    assert CLUB.in_language("de") is german


def test_a_catalog_with_one_language_is_itself_for_all_readers() -> None:
    plain = Catalog.default()

    assert plain.in_language("de", "fr") is plain
    assert (plain.language, plain.other_languages, plain.texts) == ("en", (), {})


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (["de"], "Leseratte"),
        (["de-AT"], "Bücherwurm"),
        (["de_at"], "Bücherwurm"),
        (["de-CH"], "Leseratte"),
        (["fr", "de"], "Leseratte"),
        (["en-GB", "de"], "Bookworm"),
        (["fr"], "Bookworm"),
        (["", "*", "not a language"], "Bookworm"),
        ([], "Bookworm"),
    ],
)
def test_readers_get_the_first_of_their_languages_or_a_broader_one_or_the_own_one(wanted: list[str], name: str) -> None:
    assert CLUB.in_language(*wanted).badges[0].name == name


def test_a_text_without_the_language_of_a_region_is_read_in_its_language() -> None:
    austrian = CLUB.in_language("de-AT")

    assert (austrian.shown_in, austrian.badges[0].name, austrian.badges[0].description) == (
        "de-AT",
        "Bücherwurm",
        "Lies 10 Bücher",
    )
    assert austrian.badges[1].name == CLUB.badges[1].name


def test_a_reader_of_a_language_gets_its_only_region() -> None:
    assert best_language(["pt"], ["en", "pt-BR"], "en") == "pt-BR"


def test_tags_have_a_language_and_perhaps_a_script_and_a_region() -> None:
    assert all(map(is_tag, ["de", "de-AT", "gsw", "zh-Hant", "zh-Hant-TW", "es-419"]))
    assert not any(map(is_tag, ["", "DE", "de-at", "de_AT", "german", "de-", "d", "de-AT-x", "d\u00e9"]))
    assert usual_tag("ZH_hant_tw") == "zh-Hant-TW"


# ---- what is refused --------------------------------------------------------------------------


def test_a_text_must_have_the_own_language_of_the_catalog() -> None:
    assert faults(**with_name({"de": "Leseratte"})) == [
        (
            "badges[1] 'bookworm'.name: has no text in 'en', the catalog's own language; "
            'add name.en = "...", or write language at the top of the file'
        )
    ]
    german = {"de": "Leseratte", "en": "Bookworm"}
    metrics = {"books": count("book.finished")}
    assert catalog(language="de", **{**with_name(german), "metrics": metrics}).badges[0].name == "Leseratte"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ({"en": "x", "DE": "y"}, "name.DE: 'DE' is no language; did you mean 'de'?"),
        ({"en": "x", "de_AT": "y"}, "name.de_AT: 'de_AT' is no language; did you mean 'de-AT'?"),
        ({"en": "x", "german": "y"}, "name.german: 'german' is no language; write a tag such as de, pt-BR or zh-Hant"),
        ({"en": "x", "de": " "}, "name.de: must be a text, not ' '; write de = \"...\""),
        ({"en": "x", "de": 3}, 'name.de: must be a text, not 3; write de = "..."'),
    ],
)
def test_a_wrong_language_or_text_is_refused_at_its_place(name: dict[str, Any], fault: str) -> None:
    assert faults(**with_name(name)) == [f"badges[1] 'bookworm'.{fault}"]


def test_the_own_language_must_be_one_and_is_reported_once() -> None:
    assert faults(**with_name({"en": "x"}, language="EN_us")) == [
        "language: 'EN_us' is no language; did you mean 'en-US'?"
    ]


def test_a_title_of_levels_has_the_number_in_every_language() -> None:
    wrong = {"count": 2, "first": 10, "title": {"en": "Level {number}", "de": "Stufe {nummer}"}}

    assert faults(levels=wrong) == ['levels.title: has a place that is not {number}; write title = "Level {number}"']


def test_a_catalog_has_a_limited_number_of_languages() -> None:
    many = {f"{first}{second}": "x" for first in "abcdefgh" for second in "abcdefgh"}

    assert faults(**with_name({"en": "x", **many}))[0].startswith("language: there are more than 50 languages")


# ---- plans ------------------------------------------------------------------------------------


def test_a_plan_names_the_language_of_a_text_that_changes() -> None:
    after = catalog(**{**TABLES, "badges": [{**BOOKWORM, "name": {"en": "Bookworm", "de": "Wurm", "fr": "Rat"}}]})
    before = catalog(**{**TABLES, "badges": [BOOKWORM]})

    assert differences(before, after) == [
        "badges 'bookworm'.name.de: from 'Leseratte' to 'Wurm'",
        "badges 'bookworm'.name.de-AT: from 'Bücherwurm' to none",
        "badges 'bookworm'.name.fr: from none to 'Rat'",
    ]


def test_translations_of_a_renamed_badge_are_not_new() -> None:
    before = catalog(**{**TABLES, "badges": [BOOKWORM]})
    after = catalog(**{**TABLES, "badges": [{**BOOKWORM, "id": "reader", "was": "bookworm"}]})

    assert differences(before, after) == ["badges 'bookworm' is renamed to 'reader'"]


def test_a_text_without_a_language_that_others_have_is_warned_of_once() -> None:
    after = catalog(**{**TABLES, "badges": [BOOKWORM, badge("plain", metric="books", at_least=1)]})
    named = catalog(**{**TABLES, "badges": [BOOKWORM]})

    missing = "badges 'plain'.name, badges 'plain'.description, badges 'plain'.condition"
    assert warnings(named, after) == [
        f"in '{tag}', these texts are missing, and are read in 'en': {missing}" for tag in ("de", "de-AT")
    ]
    assert warnings(after, after) == []


def test_words_of_loss_are_found_in_every_language() -> None:
    threat = {**BOOKWORM, "description": {"en": "Read on", "de": "Sonst verlierst du alles"}}
    before, after = catalog(**{**TABLES, "badges": [BOOKWORM]}), catalog(**{**TABLES, "badges": [threat]})

    assert warnings(before, after) == [
        "badges 'bookworm'.description.de: 'verlierst' speaks of a loss; say what users gain instead"
    ]
