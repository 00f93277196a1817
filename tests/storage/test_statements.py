"""The SQL of every engine, as text: users' rows are reached by their user, and no statement reads a clock or draws a number."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast

import pytest

import laurels.storage
from laurels.storage.columns import TABLES_OF_USERS
from laurels.storage.migrate import load_migrations

LEADERBOARD = "a leaderboard has all users, and is read by its own index"
TALLIES = "a count of a leaderboard's standings, only for verify and rebuild"
ALL_USERS = "reads or counts all users, a page at a time or for an operator"
OPERATORS = "what operators look at across all users: read apart from all else, within a limit"
CATALOG = "whether there are users, under which rules, and what they hold, before a catalog is put in force"
SEARCH = "all events, a page at a time, for the ids of erased users"
OLD = "all sessions and notifications, some thousand at a time or for an operator, for those to be removed"
COPYING = "reads or writes whole tables, when a database is copied"
TEMPLATE = "writes into the table it is given; the statements it makes are constants, and read here as such"

NOT_BY_USER = {
    "LINES": LEADERBOARD,
    "LINE_OF": "the line of a user: its own last condition names the user",
    "LINES_OF": "the lines of users: its own last condition names them",
    "FIRST": LEADERBOARD,
    "BEFORE": LEADERBOARD,
    "AFTER": LEADERBOARD,
    "PROFILES": LEADERBOARD,
    "AHEAD": LEADERBOARD,
    "EQUALS_BETWEEN": LEADERBOARD,
    "BETTER": LEADERBOARD,
    "RANK": LEADERBOARD,
    "GAPS": LEADERBOARD,
    "NEXT_EQUAL": LEADERBOARD,
    "LEAVE_GAPS": LEADERBOARD,
    "SORT_KEYS": LEADERBOARD,
    "UNOWNED": "lines of users who do not exist, for verify and rebuild",
    "LOCK_TALLIES": TALLIES,
    "MAKE_TALLIES": TALLIES,
    "TRUE_TALLIES": TALLIES,
    "WRONG_TALLIES": TALLIES,
    "SOME_USERS": "the given users, each by its key",
    "USER_IDS": ALL_USERS,
    "USERS_AFTER": ALL_USERS,
    "CHANGED_SINCE": CATALOG,
    "EVENTS_OF_TYPES": ALL_USERS,
    "EVENTS_OF_TYPES_WITH_DATA": ALL_USERS,
    "COUNTS": ALL_USERS,
    "NEXT_EVENT_OF_DAYS": ALL_USERS,
    "BADGE_HOLDERS": OPERATORS,
    "HELD": OPERATORS,
    "USERS_BY_ID": OPERATORS,
    "USERS_BY_NAME": OPERATORS,
    "IDS_BY_NAME": OPERATORS,
    "ALL_IDS": OPERATORS,
    "COUNT_USERS": OPERATORS,
    "SAMPLE": OPERATORS,
    "NEWEST_ADJUSTMENTS": OPERATORS,
    "EVENT_TYPES": OPERATORS,
    "ARE_UNDER_OTHER_RULES": CATALOG,
    "HOLDERS": CATALOG,
    "COUNTED": CATALOG,
    "HAS_LINES": CATALOG,
    "WITH_BYTES": CATALOG,
    "IS_USED": CATALOG,
    "RULES_OF_USERS": CATALOG,
    "RULES_OF_NEWEST": CATALOG,
    "SECRETS": "which keys a database has, and whether there are users, when a process opens it",
    "WAIT_FOR_CHANGES": "keeps all users from changing while a catalog is put in force",
    "PENDING": "users who are to be erased, by an index that has only them",
    "UNFINISHED": "erased users who left something to be deleted: hardly ever any",
    "LAST_EVENT": SEARCH,
    "EVENTS_NAMING": SEARCH,
    "LAST_NAMING": SEARCH,
    "REPLACE_NAMES": SEARCH,
    "REPLACE_IN_UNDOS": SEARCH,
    "LAST_USER": SEARCH,
    "GROUPS_NAMING": SEARCH,
    "LOOK_FOR_OLD": OLD,
    "COUNT_OLD": OLD,
    "_look": TEMPLATE,
    "_remove": TEMPLATE,
    "ALL_ROWS": COPYING,
    "COUNT": COPYING,
    "LOCK_ALL": COPYING,
    "HAS_ROWS": COPYING,
    "insert": TEMPLATE,
    "insert_all": TEMPLATE,
}
"""Constants and functions whose statements may reach users' rows by something else than the user, with the reason."""

STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|LOCK|TRUNCATE|CREATE|ALTER|DROP|COPY|CALL|DO)\s")
UNKNOWN = "some_table"
MENTION = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|,)\s+({'|'.join(TABLES_OF_USERS)}|{UNKNOWN})\b")
BY_USER = re.compile(r"\buser_id\s*=|\bUSING\s*\(user_id\b|^\s*\(user_id\b")
BY_THEMSELVES = re.compile(
    r"\b(?:now|random|randomblob|nextval|gen_random_uuid|uuid\w*|\w+_timestamp|timeofday|datetime|julianday|strftime|unixepoch)"
    r"\s*\(|\b(?:current_(?:timestamp|date|time)|localtime|localtimestamp|serial|bigserial|generated|autoincrement)\b",
    re.IGNORECASE,
)


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(laurels.storage.__path__, "laurels.storage."):
        yield importlib.import_module(found.name)


def statements(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Each statement with the name of its constant, or of the function that holds it."""
    for name, value in vars(module).items():
        yield from ((name, text) for text in flat(value) if is_statement(text))
    for function in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = (
                text_of(node, module) for node in ast.walk(function) if isinstance(node, ast.Constant | ast.JoinedStr)
            )
            yield from ((function.name, text) for text in texts if is_statement(text))


def flat(value: Any) -> Iterator[object]:
    """The values in a dictionary or list, at any depth."""
    if isinstance(value, dict | list):
        for one in cast(Any, value.values() if isinstance(value, dict) else value):
            yield from flat(one)
    else:
        yield value


def is_statement(value: object) -> bool:
    return isinstance(value, str) and STATEMENT.match(value) is not None


def text_of(node: ast.expr, module: ModuleType) -> str:
    """A literal as the program would see it; a name known only in a running function may be any table."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, module) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        try:
            return str(eval(ast.unparse(node.value), vars(module)))
        except NameError:
            return UNKNOWN
    return str(node.value) if isinstance(node, ast.Constant) else ""


ALL = sorted({(name, text) for module in modules() for name, text in statements(module)})


def is_not_by_user(text: str) -> bool:
    """Whether a mention of a table of users has no condition on the user, up to the next mention."""
    starts = [found.end() for found in MENTION.finditer(text)]
    return any(not BY_USER.search(text[start:end]) for start, end in zip(starts, [*starts[1:], None], strict=False))


@pytest.mark.parametrize(
    ("text", "not_by_user"),
    [
        ("SELECT points FROM users WHERE user_id = $1", False),
        ("SELECT points FROM users", True),
        ("DELETE FROM sessions WHERE expires_at < $1", True),
        ("UPDATE events SET day = $1 WHERE event_id = $2", True),
        ("INSERT INTO awards (user_id, badge) VALUES ($1, $2)", False),
        ("INSERT INTO awards (badge, user_id) VALUES ($1, $2)", True),
        ("SELECT 1 FROM users WHERE user_id = $1 UNION SELECT 1 FROM events WHERE event_id = $2", True),
        ("SELECT 1 FROM unnest($1::text[]) AS asked (user_id) JOIN events USING (user_id)", False),
        (f"DELETE FROM {UNKNOWN} WHERE user_id = $1", False),
        (f"SELECT count(*) FROM {UNKNOWN}", True),
        ("SELECT name FROM api_keys", False),
    ],
)
def test_a_statement_that_does_not_name_the_user_is_recognised(text: str, not_by_user: bool) -> None:
    assert is_not_by_user(text) == not_by_user


def test_users_rows_are_reached_by_their_user_or_the_reason_is_given() -> None:
    assert len(ALL) > 100
    past = {name for name, text in ALL if is_not_by_user(text)}
    assert past == NOT_BY_USER.keys()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT now()",
        "DELETE FROM sessions WHERE expires_at < CURRENT_TIMESTAMP",
        "INSERT INTO adjustments (adjustment_id) VALUES (gen_random_uuid())",
        "SELECT nextval('numbers')",
        "SELECT hex(randomblob(16))",
        "id BIGSERIAL NOT NULL",
        "id BIGINT GENERATED ALWAYS AS IDENTITY",
    ],
)
def test_a_statement_that_reads_a_clock_or_draws_a_number_is_recognised(text: str) -> None:
    assert BY_THEMSELVES.search(text)


def test_no_statement_reads_a_clock_draws_a_number_or_uses_a_sequence() -> None:
    migrations = [
        (one.name, re.sub("--.*", "", one.sql))
        for engine in ("sqlite", "postgres")
        for one in load_migrations(f"laurels.storage.{engine}")
    ]
    assert [(name, text) for name, text in [*ALL, *migrations] if BY_THEMSELVES.search(text)] == []
