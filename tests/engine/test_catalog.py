from __future__ import annotations

import json
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from laurels.engine.catalog import Catalog
from laurels.errors import CatalogError, Fault
from tests.support import at, badge, catalog, catalog_text, count

CONTRACT = json.loads((Path(__file__).parent.parent / "conformance" / "catalog.json").read_text("utf-8"))
METRICS = {"messages": count("message.sent")}
MESSAGES = {"metric": "messages", "at_least": 100}


def faults(text: str) -> list[Fault]:
    with pytest.raises(CatalogError) as caught:
        Catalog.parse(text)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return caught.value.faults


def fault(**tables: Any) -> tuple[str, str, str]:
    """The one fault of a catalog with these tables: where, what, fix."""
    (one,) = faults(catalog_text(**tables))
    return one.where, one.what, one.fix


# ---- the contract's catalog -------------------------------------------------------------------


def test_the_default_catalog_is_that_of_the_contract() -> None:
    made = Catalog.default()
    levels = [{"level": one.number, "title": one.title, "points": one.points} for one in made.levels.all]
    fields = ("id", "name", "category", "points", "icon")
    assert levels == CONTRACT["levels"]
    assert [{field: getattr(one, field) for field in fields} for one in made.badges] == CONTRACT["badges"]


def test_the_default_catalog_has_the_texts_of_the_contract() -> None:
    first, century = Catalog.default().badge("first_agent"), Catalog.default().badge("message_100")
    assert first
    assert century
    assert (first.description, first.condition_text) == ("Create your first AI agent", "Create 1 agent")
    assert (century.description, century.condition_text) == ("Send 100 messages through your agents", "100 messages")


# ---- faults -----------------------------------------------------------------------------------


def test_every_fault_is_reported_at_once() -> None:
    bad = badge("b", -1, metric="mesages", at_least=0) | {"category": "usge", "icn": "🏅"}
    found = faults(catalog_text(metrics=METRICS, badges=[bad], levels=[{"title": "One", "points": 5}], extra=1))
    assert {one.where: (one.what, one.fix) for one in found} == {
        "levels[1] 'One'.points": ("the first level must begin at 0 points", "write points = 0"),
        "badges[1] 'b'.points": ("must be a whole number of 0 or more, not -1", "write points = 1"),
        "badges[1] 'b'.category": ("unknown category 'usge'", "did you mean 'usage'?"),
        "badges[1] 'b'.when.metric": ("unknown metric 'mesages'", "did you mean 'messages'?"),
        "badges[1] 'b'.when.at_least": ("must be a whole number of 1 or more, not 0", "write at_least = 1"),
        "badges[1] 'b'.icn": ("unknown key 'icn'", "did you mean 'icon'?"),
        "extra": (
            "unknown key 'extra'",
            (
                "known are badges, boosts, categories, kinds, language, leaderboards, levels, metrics, name, own_history, "
                "points, profile, streaks"
            ),
        ),
    }


FRIENDS = {"kind": "distinct", "events": ["a"], "of": "friend", "not_self": True}
WEEKS: dict[str, Any] = {"events": ["a"], "cadence": "weekly"}
MONTHS: dict[str, Any] = {"events": ["a"], "cadence": "monthly"}
SEASON = {"name": "s", "first": date(2026, 1, 1), "last": date(2026, 1, 31)}


@pytest.mark.parametrize(
    ("tables", "where", "what"),
    [
        ({"metrics": {"m": {"kind": "cuont", "events": ["a"]}}}, "metrics.m.kind", "unknown kind of metric 'cuont'"),
        ({"metrics": {"m": count("a") | {"events": []}}}, "metrics.m.events", "must be a list of texts, not []"),
        ({"metrics": {"m": count("a") | {"events": "a"}}}, "metrics.m.events", "must be a list of texts, not 'a'"),
        ({"metrics": {"m": count("a") | {"events": [1]}}}, "metrics.m.events", "must be a list of texts, not [1]"),
        ({"metrics": {"m": {"kind": "sum"}}}, "metrics.m.events", "is missing"),
        ({"metrics": {"m": {"events": ["a"]}}}, "metrics.m.kind", "is missing"),
        ({"metrics": {"m": 1}}, "metrics.m", "must be a table, not 1"),
        ({"metrics": 1}, "metrics", "must be tables by name, not 1"),
        ({"streaks": {"s": WEEKS | {"days": 1}}}, "streaks.s.days", "must be a whole number of 2 or more, not 1"),
        ({"streaks": {"s": WEEKS | {"days": 8}}}, "streaks.s.days", "not every week has 8 days"),
        ({"streaks": {"s": MONTHS | {"days": 29}}}, "streaks.s.days", "not every month has 29 days"),
        ({"streaks": {"s": {"events": ["a"], "days": 2}}}, "streaks.s.days", "a daily streak needs one day"),
        ({"streaks": {"s": MONTHS | {"week_starts": "sun"}}}, "streaks.s.week_starts", "a monthly streak has no weeks"),
        ({"streaks": {"s": WEEKS | {"week_starts": "sunday"}}}, "streaks.s.week_starts", "unknown day of the week"),
        (
            {"streaks": {"s": MONTHS | {"rest_days": ["sun"]}}},
            "streaks.s.rest_days",
            "a monthly streak has no rest days",
        ),
        ({"streaks": {"s": WEEKS | {"cadence": "yearly"}}}, "streaks.s.cadence", "unknown cadence 'yearly'"),
        ({"streaks": {"s": WEEKS | {"title": ""}}}, "streaks.s.title", "must be a text, not ''"),
        ({"streaks": {"login": {**WEEKS, "events": ["login"]}}}, "profile.login_streak", "must be daily"),
        (
            {"badges": [{**badge("b", points_of=1), "unlocks": "avatar"}]},
            "badges[1] 'b'.unlocks",
            "must be a list of texts, not 'avatar'",
        ),
        (
            {"badges": [{**badge("b", points_of=1), "unlocks": ["a\tb"]}]},
            "badges[1] 'b'.unlocks",
            "must not hold control",
        ),
        (
            {"levels": [{"title": "A", "points": 0, "unlocks": [" a"]}]},
            "levels[1] 'A'.unlocks",
            "with spaces around it",
        ),
        ({"levels": {"count": 2, "first": 1, "unlocks": {1: ["a" * 101]}}}, "levels.unlocks.1", "of 101 characters"),
        ({"metrics": {"m": count("a", of="size")}}, "metrics.m.of", "has no meaning for kind 'count'"),
        ({"metrics": {"m": {"kind": "distinct", "events": ["a"]}}}, "metrics.m.of", "must name the values to count"),
        ({"metrics": {"m": count("a", not_self=True)}}, "metrics.m.not_self", "has no meaning for kind 'count'"),
        ({"metrics": {"m": count("a", missing="quantity")}}, "metrics.m.missing", "has no meaning for kind 'count'"),
        ({"metrics": {"m": FRIENDS | {"not_self": 1}}}, "metrics.m.not_self", "must be true or false, not 1"),
        ({"metrics": {"m": FRIENDS | {"missing": "one"}}}, "metrics.m.missing", "unknown meaning 'one'"),
        (
            {"metrics": {"m": FRIENDS}, "badges": [badge("b", metric="m", at_least=1001)]},
            "badges[1] 'b'.when.at_least",
            "the metric 'm' stops at 1000",
        ),
        (
            {"metrics": {"m": FRIENDS, "n": count("a", where={"friend": "bob"})}},
            "metrics.n.where",
            "has a value of 'friend' where the metric 'm' stores references",
        ),
        (
            {"metrics": {"m": FRIENDS}, "streaks": {"s": {"events": ["a"], "where": {"friend": "bob"}}}},
            "streaks.s.where",
            "stores references",
        ),
        (
            {"metrics": {"m": FRIENDS, "n": {"kind": "sum", "events": ["a"], "of": "friend"}}},
            "metrics.n.of",
            "reads a number where 'm' reads ids of users",
        ),
        (
            {"metrics": {"m": {"kind": "min", "events": ["a"]}}, "badges": [badge("b", metric="m", at_least=3)]},
            "badges[1] 'b'.when.at_least",
            "the metric 'm' only goes down",
        ),
        (
            {"metrics": {"m": {"kind": "last", "events": ["a"]}}, "badges": [badge("b", metric="m", at_most=3)]},
            "badges[1] 'b'.when.metric",
            "'m' has the kind 'last'",
        ),
        (
            {"metrics": {"m": count("a")}, "badges": [badge("b", metric="m", at_most=3)]},
            "badges[1] 'b'.when.at_most",
            "the metric 'm' starts at 0 and goes up",
        ),
        ({"metrics": {"m": count("a", where={"x": 1.5})}}, "metrics.m.where.x", "must be a text, a whole number"),
        ({"metrics": {"m": count("a", where=1)}}, "metrics.m.where", "must be a table, not 1"),
        ({"metrics": {"m": count("a", one=" ")}}, "metrics.m.one", "must be a text, not ' '"),
        ({"metrics": {"login": count("a")}}, "streaks.login", "a metric has the same name"),
        ({"streaks": {"s": {"events": ["a"], "evnts": 1}}}, "streaks.s.evnts", "unknown key 'evnts'"),
        (
            {"points": [{"id": "r", "events": ["a"], "amount": 0}]},
            "points[1] 'r'.amount",
            "a whole number of 1 or more",
        ),
        ({"points": [{"id": "r", "events": ["a"], "amount": True}]}, "points[1] 'r'.amount", "not True"),
        ({"points": [{"id": "r", "events": ["a"], "amount": 2**53}]}, "points[1] 'r'.amount", "not 9007199254740992"),
        (
            {"points": [{"id": "r", "events": ["a"], "amount": 1, "per": "day"}]},
            "points[1] 'r'.per",
            "unknown unit 'day'",
        ),
        ({"points": {"id": "r"}}, "points", "must be a list of tables"),
        ({"points": [{"id": "r", "events": ["a"], "amount": 1}] * 2}, "points", "the id 'r' is used more than once"),
        ({"levels": []}, "levels", "is empty"),
        ({"levels": 7}, "levels", "must be a list of tables, not 7"),
        (
            {"levels": [{"title": "A", "points": 0}, {"title": "B", "points": 0}]},
            "levels[2] 'B'.points",
            "more than the",
        ),
        ({"profile": {"login_event": "login"}}, "profile.login_streak", "is missing"),
        ({"profile": {"login_event": "logn", "login_streak": "login"}}, "profile.login_event", "does not feed"),
        ({"streaks": {"login": {"events": ["login"], "where": {"a": 1}}}}, "profile.login_streak", "has a 'where'"),
        ({"badges": [badge("b")]}, "badges[1] 'b'.when", "has no condition"),
        ({"badges": [badge("b", points_of=1, has_badge="b")]}, "badges[1] 'b'.when", "has has_badge and points_of"),
        ({"badges": [badge("b", all_of=[])]}, "badges[1] 'b'.when.all_of", "is empty"),
        ({"badges": [badge("b", any_of=[{}])]}, "badges[1] 'b'.when.any_of[1]", "has no condition"),
        ({"badges": [badge("b", joined_before="soon")]}, "badges[1] 'b'.when.joined_before", "with its offset"),
        ({"badges": [badge("b", joined_before=at("2026-01-01").replace(tzinfo=None))]}, "badges[1]", "with its offset"),
        ({"badges": [badge("b", points_of=1, target=2)]}, "badges[1] 'b'.when.target", "unknown key 'target'"),
        ({"badges": [badge("b", points_of=1) | {"name": ""}]}, "badges[1] 'b'.name", "must be a text, not ''"),
        ({"badges": [badge("b", points_of=1)] * 2}, "badges", "the id 'b' is used more than once"),
        ({"badges": [badge("b", streak="loign", streak_of=2)]}, "badges[1] 'b'.when.streak", "unknown streak 'loign'"),
        ({"badges": [badge("b", has_badge="x")]}, "badges[1] 'b'.when.has_badge", "unknown badge 'x'"),
        ({"name": 3}, "name", "must be a text, not 3"),
        ({"name": "a\x1bb"}, "name", r"must not hold control characters, as 'a\x1bb' does"),
        ({"metrics": {"m\0": count("a")}}, "metrics.m\ufffd", r"must not hold control characters, as 'm\x00' does"),
        ({"metrics": {"m": count("a\0")}}, "metrics.m.events", "must not hold control characters"),
        ({"streaks": {"s\n": {"events": ["a"]}}}, "streaks.s\ufffd", "must not hold control characters"),
        (
            {"badges": [badge("b", points_of=1) | {"id": "b\0"}]},
            "badges[1] 'b\ufffd'.id",
            "must not hold control characters",
        ),
        ({"leaderboards": [{"id": "l\0"}]}, "leaderboards[1] 'l\ufffd'.id", "must not hold control characters"),
        ({"leaderboards": [{"id": "l", "groups": ["\0"]}]}, "leaderboards[1] 'l'.groups", "must not hold control"),
        (
            {"leaderboards": [{"id": "l", "period": "season", "seasons": [SEASON | {"name": "\0"}]}]},
            "leaderboards[1] 'l'.seasons[1].name",
            "must not hold control characters",
        ),
    ],
)
def test_a_fault_has_a_place_and_a_description(tables: dict[str, Any], where: str, what: str) -> None:
    at_, says, fix = fault(**tables)
    assert at_.startswith(where)
    assert what in says
    assert fix


def test_the_description_of_a_badge_may_have_lines() -> None:
    (one,) = catalog(badges=[badge("b", points_of=1) | {"description": "One.\n\tTwo."}]).badges
    assert one.description == "One.\n\tTwo."


def test_invalid_toml_is_reported_with_its_line() -> None:
    (one,) = faults("name = \nlevels = []")
    assert "line 1" in one.what


def test_an_empty_file_lacks_levels_and_a_profile() -> None:
    assert {one.where for one in faults("")} == {"levels", "profile"}


@pytest.mark.parametrize(
    ("word", "fix"),
    [("mesages", "did you mean 'messages'?"), ("sleep", "known are agents, messages")],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_all_known_ones(word: str, fix: str) -> None:
    metrics = METRICS | {"agents": count("agent.created")}
    assert fault(metrics=metrics, badges=[badge("b", metric=word, at_least=1)])[2] == fix


def test_badges_that_require_each_other_are_refused() -> None:
    ring = [badge("a", has_badge="b"), badge("b", has_badge="c"), badge("c", all_of=[MESSAGES, {"has_badge": "a"}])]
    found = faults(catalog_text(metrics=METRICS, badges=[*ring, badge("d", has_badge="a"), badge("e", **MESSAGES)]))
    assert [one.where for one in found] == [f"badges '{name}'.when" for name in "abcd"]
    assert all("cycle" in one.fix for one in found)


def test_a_badge_that_requires_itself_is_refused() -> None:
    assert fault(badges=[badge("a", has_badge="a")])[0] == "badges 'a'.when"


def test_a_cycle_with_an_alternative_is_allowed() -> None:
    either = {"any_of": [{"has_badge": "b"}, MESSAGES]}
    assert catalog(metrics=METRICS, badges=[badge("a", **either), badge("b", has_badge="a")])


# ---- the fingerprint --------------------------------------------------------------------------

BASE = {
    "metrics": METRICS,
    "points": [{"id": "r", "events": ["a"], "amount": 1}],
    "badges": [badge("a", **MESSAGES), badge("b", has_badge="a")],
}


WEEKLY: list[dict[str, Any]] = [{"days": 2}, {"week_starts": "sun"}]


def test_each_kind_of_unit_has_a_fingerprint_of_its_own_and_a_title_has_none() -> None:
    rules = [
        {"cadence": cadence, **more}
        for cadence, more in [("daily", {}), ("weekly", {}), ("monthly", {}), *(("weekly", one) for one in WEEKLY)]
    ]
    marks = {catalog(streaks={"s": {"events": ["a"], **rule}}).rules for rule in rules}
    titled = {catalog(streaks={"s": {"events": ["a"], "title": "A title", **rule}}).rules for rule in rules}
    assert marks == titled
    assert len(marks) == len(rules)


@pytest.mark.parametrize(
    "wording",
    [
        {"name": "another"},
        {"metrics": {"messages": count("message.sent", one="note", many="notes")}},
        {"badges": [badge("a", **MESSAGES) | {"name": "Renamed", "icon": "🎈"}, badge("b", has_badge="a")]},
        {"badges": [badge("a", **MESSAGES), badge("b", has_badge="a") | {"condition": "x", "category": "social"}]},
        {"levels": [{"title": "Uno", "points": 0}, {"title": "Dos", "points": 100}]},
    ],
)
def test_words_do_not_change_the_fingerprint(wording: dict[str, Any]) -> None:
    assert catalog(**BASE | wording).rules == catalog(**BASE).rules


@pytest.mark.parametrize(
    "deciding",
    [
        {"metrics": {"messages": count("message.sent", "note.sent")}},
        {"metrics": {"messages": count("message.sent", where={"plan": "pro"})}},
        {"metrics": {"messages": {"kind": "sum", "events": ["message.sent"]}}},
        {"points": [{"id": "r", "events": ["a"], "amount": 2}]},
        {"points": [{"id": "r", "events": ["a"], "amount": 1, "cap_per_day": 5}]},
        {"badges": [badge("a", 11, **MESSAGES), badge("b", has_badge="a")]},
        {"badges": [badge("a", metric="messages", at_least=99), badge("b", has_badge="a")]},
        {"badges": [badge("a", **MESSAGES), badge("b", points_of=3)]},
        {"badges": [badge("a", **MESSAGES)]},
        {"levels": [{"title": "One", "points": 0}, {"title": "Two", "points": 101}]},
        {"streaks": {"other": {"events": ["a"]}}},
        *({"streaks": {"weeks": {"events": ["a"], "cadence": "weekly", **more}}} for more in WEEKLY),
        {"streaks": {"weeks": {"events": ["a"], "cadence": "monthly"}}},
    ],
)
def test_what_decides_changes_the_fingerprint(deciding: dict[str, Any]) -> None:
    assert catalog(**BASE | deciding).rules != catalog(**BASE).rules


def test_true_is_not_one_in_the_fingerprint() -> None:
    true, one = ({"metrics": {"messages": count("a", where={"x": value})}} for value in (True, 1))
    assert catalog(**BASE | true).rules != catalog(**BASE | one).rules


def test_the_fingerprint_of_a_known_catalog_never_changes() -> None:
    fixture = Path(__file__).parent.parent / "fixtures" / "databases" / "0001-before-adjustments" / "catalog.toml"
    assert Catalog.default().rules == "5615092ee4cee7fe"
    assert Catalog.parse(fixture.read_text("utf-8")).rules == "0134fb00ab5948b4"


def test_references_need_current_ids_and_the_fault_names_them() -> None:
    text = catalog_text(
        profile={"login_event": "login", "login_streak": "visits"},
        streaks={"login": {"events": ["login"], "was": "visits"}},
        badges=[
            {**badge("century", streak="visits", streak_of=2), "was": ["hundred", "message_100"]},
            badge("both", all_of=[{"has_badge": "message_100"}, {"has_badge": "centuri"}]),
        ],
        leaderboards=[{"id": "runs", "by": "streak", "of": "visits"}],
    )
    renamed = ("unknown streak 'visits'", "did you mean 'login' (renamed)?")
    assert {one.where: (one.what, one.fix) for one in faults(text)} == {
        "badges[1] 'century'.when.streak": renamed,
        "badges[2] 'both'.when.all_of[1].has_badge": (
            "unknown badge 'message_100'",
            "did you mean 'century' (renamed)?",
        ),
        "badges[2] 'both'.when.all_of[2].has_badge": ("unknown badge 'centuri'", "did you mean 'century'?"),
        "leaderboards[1] 'runs'.of": renamed,
        "profile.login_streak": renamed,
    }


def deep(levels: int) -> str:
    """The default catalog with a badge whose condition is inside this number of others."""
    condition = '{ metric = "messages", at_least = 1 }'
    for _ in range(levels):
        condition = f"{{ all_of = [{condition}] }}"
    text = resources.files("laurels.engine").joinpath("default.toml").read_text("utf-8")
    return (
        f'{text}\n[[badges]]\nid = "deep"\nname = "D"\ndescription = "["\nicon = "x"\ncategory = "usage"\npoints = 1\n'
        f'condition = "c" # [[[\nwhen = {condition}\n'
    )


def test_a_catalog_that_is_nested_too_deeply_is_an_error_with_its_place() -> None:
    assert Catalog.parse(deep(50)).badge("deep")
    with pytest.raises(CatalogError, match=r"badges\[12\] 'deep'\.when\.all_of.*is inside 50 other conditions"):
        Catalog.parse(deep(51))
    for text in (deep(400), "x = [\n" + "[" * 100_000 + "]" * 100_000 + "]"):
        with pytest.raises(CatalogError, match=r"line \d+: has brackets in too many others") as found:
            Catalog.parse(text)
        line = int(str(found.value).partition("line ")[2].partition(":")[0])
        assert text.splitlines()[line - 1].count("[") > 90
    dotted = deep(0).replace('kind = "count"', f"kind{'.a' * 3000} = 1", 1)
    with pytest.raises(CatalogError, match=r"metrics\.onboardings\.kind: must be a text"):
        Catalog.parse(dotted)
