"""The catalog: everything that can be earned, read from one TOML text, with all its faults reported at once."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import resources
from pathlib import Path

from laurels.engine.adjustments import KINDS as ADJUSTMENT_KINDS
from laurels.engine.badges import LOSE, Badge, read_badge, shown_name
from laurels.engine.boosts import Boost
from laurels.engine.categories import BUILT_IN, Category, read_categories
from laurels.engine.conditions import HasBadge, MemberFor, MetricWords, StreakWords, Vocabulary
from laurels.engine.cross_checks import check_named_users, check_together, check_unique
from laurels.engine.fingerprints import fingerprint
from laurels.engine.key_fixes import WHOLE_FILE
from laurels.engine.languages import ENGLISH, MOST_LANGUAGES, Texts, best_language, is_tag, usual_tag
from laurels.engine.leaderboards import POINTS, THE_POINTS, Board, MetricNumber, read_board
from laurels.engine.levels import Levels, read_levels
from laurels.engine.metrics import Metric, read_metric
from laurels.engine.own_history import NOTHING_MORE, OwnHistory, read_own_history
from laurels.engine.parsing import Table, closest, line_of_deep_brackets
from laurels.engine.point_kinds import KindPointsOf, PointKind, PointsOf, raw_tables, read_kinds
from laurels.engine.points import PointRule, read_point_rules
from laurels.engine.policies import RECOMPUTE
from laurels.engine.renames import Renames, earlier_names, was_of
from laurels.engine.rule_index import (
    RuleIndex,
    counted_metrics,
    day_boards_of,
    depends_on,
    fed_boards_of,
    rule_indexes_of,
    within_periods,
)
from laurels.engine.rule_versions import NO_PAST, Past, followed, table_of, versions_of
from laurels.engine.sequences import Chain, chains_of
from laurels.engine.streaks import Streak, read_streak
from laurels.errors import CatalogError, Fault

SETTLING = (HasBadge, PointsOf, KindPointsOf)
"""Conditions that other badges can let hold."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be earned.

    login_event, login_streak   the event that a profile request records, and the streak that the profile shows
    rule_indexes                event type -> what it can change
    settling                    badges that depend on points or on other badges, or of which there is a limited supply
    limited                     badge of which there is a limited supply -> how many users may have it at once
    losing                      badges that users lose when their conditions do not hold any more
    repaying                    badges whose holders always have the points that they pay now
    point_rules, versions       the point rules of the text; and with their earlier versions, which only a database knows
    past                        what a database knows of these versions
    boards                      leaderboards by id, retired ones too; 'points' is always there
    tops                        the leaderboards whose first ranks are notified, by id
    points_boards, fed_boards   leaderboards with stored scores: by points within periods; by metrics, per event type
    tally_boards                event type -> the leaderboards by tallies within periods that it changes
    renames                     the current id of each earlier one
    day_boards                  leaderboards with stored days, by distinct days or streaks within periods, per event type
    own_history                 what users see of their own history
    language, shown_in          its own language, which every text has; and the one of its texts here
    other_languages             the other ones that some of its texts have, in order
    texts                       its texts by their places in the file, each by language; empty if it has one language
    categories                  the categories of badges by id, in their order
    boosts                      what multiplies point rules for a time, as the file has them
    kinds                       the kinds of points in addition to the contract's, by name
    timed                       the badges that passing time alone may earn
    chains                      conditions that must be met in order, by their keys
    rules                       a fingerprint of everything that decides; names, texts and icons do not change it
    rules_before                the one that earlier versions stored for the same catalog
    text, file                  the TOML that it was read from, and its file, if any; they do not count in comparisons
    """

    name: str
    login_event: str
    login_streak: str
    levels: Levels
    metrics: Mapping[str, Metric]
    streaks: Mapping[str, Streak]
    point_rules: tuple[PointRule, ...]
    badges: tuple[Badge, ...]
    boards: Mapping[str, Board]
    rule_indexes: Mapping[str, RuleIndex]
    settling: tuple[Badge, ...]
    limited: Mapping[str, int]
    losing: tuple[Badge, ...]
    points_boards: tuple[Board, ...]
    tops: Mapping[str, Board]
    fed_boards: Mapping[str, tuple[Board, ...]]
    tally_boards: Mapping[str, tuple[Board, ...]]
    renames: Renames
    day_boards: Mapping[str, tuple[Board, ...]]
    rules: str
    rules_before: str
    own_history: OwnHistory = NOTHING_MORE
    categories: Mapping[str, Category] = field(default_factory=lambda: dict(BUILT_IN))
    repaying: tuple[Badge, ...] = ()
    versions: tuple[PointRule, ...] = ()
    past: Past = NO_PAST
    boosts: tuple[Boost, ...] = ()
    timed: tuple[Badge, ...] = ()
    chains: Mapping[str, Chain] = field(default_factory=dict[str, Chain])
    language: str = ENGLISH
    other_languages: tuple[str, ...] = ()
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]], repr=False)
    shown_in: str = ENGLISH
    kinds: Mapping[str, PointKind] = field(default_factory=dict[str, PointKind])
    text: str = field(default="", compare=False, repr=False)
    file: str = field(default="", compare=False, repr=False)
    _others: dict[str, Catalog] = field(default_factory=dict[str, "Catalog"], init=False, compare=False, repr=False)

    @staticmethod
    def parse(text: str) -> Catalog:
        """Read a catalog. Raises CatalogError with all its faults."""
        return _parsed(text)

    @staticmethod
    def load(path: str | Path) -> Catalog:
        """Read a catalog file. Raises CatalogError, whose faults name the file and the place in it."""
        try:
            text = Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise CatalogError([Fault(str(path), f"is not UTF-8: {error}", "save it as UTF-8")]) from error
        except OSError as error:
            raise CatalogError([Fault(str(path), f"cannot be read: {error.strerror}", "check the path")]) from error
        try:
            return replace(Catalog.parse(text), file=str(path))
        except CatalogError as error:
            faults = [Fault(f"{path}, {fault.where}", fault.what, fault.fix) for fault in error.faults]
            raise CatalogError(faults) from error

    @staticmethod
    def default() -> Catalog:
        """The default catalog of the contract: 7 levels, 11 badges, one login streak."""
        return Catalog.parse(resources.files("laurels.engine").joinpath("default.toml").read_text("utf-8"))

    @staticmethod
    def earlier_defaults() -> list[Catalog]:
        """The default catalogs of earlier versions, which stored none: their users go on with the one that judged them."""
        files = resources.files("laurels.engine").joinpath("earlier").iterdir()
        return [Catalog.parse(file.read_text("utf-8")) for file in sorted(files, key=lambda file: file.name)]

    @property
    def limited_ids(self) -> dict[str, str]:
        """The current id of each id that a limited badge has or had."""
        return {name: badge.id for badge in self.badges if badge.supply for name in (badge.id, *badge.was)}

    @property
    def digest(self) -> str:
        """16 hex digits that tell its text from every other one."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def is_scored_by_days(self, board: Board) -> bool:
        """Whether the scores of a leaderboard are computed from sets of days, and so are not stored."""
        return board.by == "streak" or (
            board.by == "metric" and bool(board.of) and self.metrics[board.of].stored == "days"
        )

    def is_scored_by_tallies(self, board: Board) -> bool:
        """Whether the scores of a leaderboard are computed from tallies: different values, or sums of days."""
        return board.by == "metric" and bool(board.of) and self.metrics[board.of].stored == "tally"

    def after_closings(self, reused: Mapping[str, tuple[frozenset[str], datetime | None]]) -> Catalog:
        """The same catalog in a database in which periods closed with other bounds.

        `reused` are, for each leaderboard, the keys of those periods and the end of the newest.
        """
        boards: dict[str, Board] = {}
        for name, board in self.boards.items():
            keys, until = reused.get(name, (frozenset[str](), None))
            boards[name] = replace(board, periods=replace(board.periods, reused=keys), closed_until=until)

        def same(some: Mapping[str, tuple[Board, ...]]) -> dict[str, tuple[Board, ...]]:
            return {key: tuple(boards[board.id] for board in of_key) for key, of_key in some.items()}

        return replace(
            self,
            boards=boards,
            tops={name: boards[name] for name in self.tops},
            points_boards=tuple(boards[board.id] for board in self.points_boards),
            fed_boards=same(self.fed_boards),
            day_boards=same(self.day_boards),
            tally_boards=same(self.tally_boards),
        )

    def with_past(self, past: Past) -> Catalog:
        """The same catalog in a database that knows earlier versions of its point rules. Raises CatalogError."""
        if past == self.past:
            return self
        versions, faults = versions_of(self.point_rules, past), list[Fault]()
        check_named_users(Table({}, "", faults), self.metrics, self.streaks, versions)
        if faults:
            raise CatalogError(faults)
        nouns = (self.counted, self.streaks, versions, self.badges)
        rules = fingerprint(self.levels, *nouns, self.boards)
        return replace(self, versions=versions, past=past, rule_indexes=rule_indexes_of(*nouns), rules=rules)

    def in_language(self, *wanted: str) -> Catalog:
        """The same catalog with the texts for someone who reads these languages, the preferred one first."""
        if not self.other_languages:
            return self
        language = best_language(wanted, (self.language, *self.other_languages), self.language)
        if language == self.shown_in:
            return self
        if language not in self._others:
            closed = {name: (board.periods.reused, board.closed_until) for name, board in self.boards.items()}
            found = _parsed(self.text, language).with_past(self.past).after_closings(closed)
            self._others[language] = replace(found, file=self.file)
        return self._others[language]

    @property
    def as_written(self) -> Catalog:
        """The catalog as its text has it, without earlier versions of its point rules."""
        return self.with_past(NO_PAST)

    def past_before(self, following: Sequence[PointRule], at: datetime) -> Past:
        """What the database is to know of these point rules, if the following ones replace them at this instant."""
        raw = tomllib.loads(self.text)
        points, boosts = ({table["id"]: table for table in raw.get(key, ())} for key in ("points", "boosts"))
        tables = {rule.id: table_of(rule, points, boosts) for rule in self.point_rules}
        return followed(self.point_rules, tables, self.past, following, at)

    @property
    def counted(self) -> Mapping[str, Metric]:
        """The metrics, and those that count only while a badge is available, by the names in its condition."""
        return counted_metrics(self.metrics, self.badges)

    def badge(self, badge_id: str) -> Badge | None:
        """The badge that has this id, or had it before."""
        current = self.renames.badge(badge_id)
        return next((badge for badge in self.badges if badge.id == current), None)


def _parsed(text: str, language: str = "") -> Catalog:
    """The catalog of a text, with its texts in a language ('': its own). Raises CatalogError with all its faults."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError([Fault("the file", f"is not TOML: {error}", "fix that line")]) from error
    except RecursionError:
        place = f"line {line_of_deep_brackets(text)}"
        raise CatalogError([Fault(place, "has brackets in too many others", "write it with fewer")]) from None
    faults: list[Fault] = []
    table = Table(raw, "", faults, WHOLE_FILE, Texts(read=language))
    _read_language(table)
    catalog = _with_texts(_read(table), table)
    if faults:
        # A misspelled table comes first: what refers to its entries fails because of it.
        raise CatalogError(sorted(faults, key=lambda fault: "." in fault.where or "[" in fault.where))
    return replace(catalog, text=text)


def _read_language(table: Table) -> None:
    """`language`: the catalog's own."""
    language = table.text("language", ENGLISH)
    if language and not is_tag(language):
        usual = usual_tag(language)
        fix = f"did you mean '{usual}'?" if is_tag(usual) else 'write language = "en"'
        table.fault("language", f"'{language}' is no language", fix)
        language = ""  # so that not each text is reported, too
    table.translations.own = language


def _with_texts(catalog: Catalog, table: Table) -> Catalog:
    """A catalog that was read from a table, with its texts in all languages."""
    said = table.translations
    if len(said.others) >= MOST_LANGUAGES:
        table.fault("language", f"there are more than {MOST_LANGUAGES} languages", "take some out")
    return replace(
        catalog,
        language=said.own,
        other_languages=said.others,
        texts=said.all if said.others else {},
        shown_in=said.read or said.own,
    )


def _read(table: Table) -> Catalog:
    """The whole file. References between its parts are checked while they are read."""
    metrics, streaks, kinds = _read_counted(table)
    (rules, boosts), levels = read_point_rules(table, kinds), read_levels(table)
    (categories, badges), boards = _read_badges(table, metrics, streaks, kinds), _read_boards(table, metrics, streaks)
    counting = [board for board in boards.values() if not board.retired]
    name, shown, profile = table.words("name", "unnamed"), _own_history(table), _read_profile(table, streaks)
    table.done()
    check_together(table, metrics, streaks, rules, boosts, badges)
    deciding = (levels, counted_metrics(metrics, badges), streaks, rules, badges, boards)
    return Catalog(
        name=name,
        login_event=profile[0],
        login_streak=profile[1],
        levels=levels,
        metrics=metrics,
        streaks=streaks,
        point_rules=rules,
        badges=badges,
        boards=boards,
        rule_indexes=rule_indexes_of(*deciding[1:5]),
        settling=tuple(badge for badge in badges if badge.supply or depends_on(badge, *SETTLING)),
        limited={badge.id: badge.supply for badge in badges if badge.supply},
        timed=tuple(badge for badge in badges if depends_on(badge, MemberFor) and not badge.retired),
        chains=chains_of((badge.condition for badge in badges), deciding[1]),
        losing=tuple(badge for badge in badges if badge.holders == LOSE),
        repaying=tuple(badge for badge in badges if badge.past == RECOMPUTE),
        versions=rules,
        boosts=boosts,
        tops={board.id: board for board in counting if board.notify_top and not board.teams},
        points_boards=tuple(board for board in within_periods(counting) if board.by == "points"),
        fed_boards=fed_boards_of(counting, metrics, "number"),
        tally_boards=fed_boards_of(within_periods(counting), metrics, "tally"),
        renames=_read_renames(table, badges, streaks, boards),
        day_boards=day_boards_of(counting, metrics, streaks),
        own_history=shown,
        categories=categories,
        kinds=kinds,
        rules=fingerprint(*deciding),
        rules_before=fingerprint(*deciding, as_before=True),
    )


def _own_history(table: Table) -> OwnHistory:
    return read_own_history(table, ADJUSTMENT_KINDS)


def _read_counted(table: Table) -> tuple[Mapping[str, Metric], Mapping[str, Streak], Mapping[str, PointKind]]:
    """What counts: the metrics, the streaks, and the kinds of points."""
    metrics = {name: read_metric(name, entry) for name, entry in table.named_tables("metrics")}
    streaks = {name: read_streak(name, entry) for name, entry in table.named_tables("streaks")}
    return metrics, streaks, read_kinds(table.named_tables("kinds"), raw_tables(table.raw.get("badges")))


def _read_badges(
    table: Table, metrics: Mapping[str, Metric], streaks: Mapping[str, Streak], kinds: Mapping[str, PointKind]
) -> tuple[Mapping[str, Category], tuple[Badge, ...]]:
    categories, tables = read_categories(table.named_tables("categories")), table.list_of_tables("badges", [])
    vocabulary = replace(_vocabulary(metrics, streaks, tables), kinds=kinds)
    return categories, tuple(read_badge(entry, vocabulary, categories) for entry in tables)


def _vocabulary(
    metrics: Mapping[str, Metric], streaks: Mapping[str, Streak], badge_tables: Sequence[Table]
) -> Vocabulary:
    """What the conditions of badges may refer to."""
    return Vocabulary(
        metrics={name: MetricWords(one.one, one.many, one.kind, one.most, one.scale) for name, one in metrics.items()},
        streaks={name: StreakWords(streak.retired, streak.unit_name) for name, streak in streaks.items()},
        badges={str(entry.raw.get("id")): shown_name(entry) for entry in badge_tables},
        retired_badges=frozenset(
            str(entry.raw.get("id")) for entry in badge_tables if entry.raw.get("retired") is True
        ),
        earlier_streaks=_earlier(streaks),
        earlier_badges={name: str(entry.raw.get("id")) for entry in badge_tables for name in was_of(entry.raw)},
    )


def _earlier(streaks: Mapping[str, Streak]) -> dict[str, str]:
    """The current name of each earlier one."""
    return {name: streak.name for streak in streaks.values() for name in streak.was}


def _read_renames(
    table: Table, badges: Iterable[Badge], streaks: Mapping[str, Streak], boards: Mapping[str, Board]
) -> Renames:
    return Renames(
        badges=earlier_names(table, "badges", [(badge.id, badge.was) for badge in badges]),
        streaks=earlier_names(table, "streaks", [(streak.name, streak.was) for streak in streaks.values()]),
        boards=earlier_names(table, "leaderboards", [(board.id, board.was) for board in boards.values()]),
    )


def _read_boards(table: Table, metrics: Mapping[str, Metric], streaks: Mapping[str, Streak]) -> Mapping[str, Board]:
    """The leaderboards by id; 'points' comes first unless the catalog lists it."""
    earlier = _earlier(streaks)
    numbers = {name: MetricNumber(metric.scale, metric.adds_up) for name, metric in metrics.items()}
    boards = [read_board(entry, numbers, streaks, earlier) for entry in table.list_of_tables("leaderboards", [])]
    check_unique(table, "leaderboards", [board.id for board in boards])
    named = {board.id: board for board in boards}
    return named if POINTS in named else {POINTS: THE_POINTS, **named}


def _read_profile(table: Table, streaks: Mapping[str, Streak]) -> tuple[str, str]:
    profile = table.table("profile")
    if profile is None:
        return "", ""
    event, streak = (
        profile.text("login_event"),
        profile.choice("login_streak", streaks, "streak", renamed=_earlier(streaks)),
    )
    if event and streak and event not in streaks[streak].events:
        profile.fault("login_event", f"does not feed the streak '{streak}'", closest(event, streaks[streak].events))
    if streak and (streaks[streak].amount > 1 or streaks[streak].amounts or streaks[streak].cadence != "daily"):
        profile.fault(
            "login_streak", f"the streak '{streak}' must be daily and need one event", "choose another, or change it"
        )
    if streak and streaks[streak].where:
        profile.fault(
            "login_streak", f"the streak '{streak}' has a 'where', but a login has no data", "remove the 'where'"
        )
    if streak and streaks[streak].retired:
        profile.fault("login_streak", f"the streak '{streak}' is retired", "choose another, or take its 'retired' out")
    profile.done()
    return event, streak
