"""The rules of the architecture: which package may import which, what the engine may not do, and which names are allowed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import laurels

PACKAGE = Path(laurels.__file__).parent

LAYERS = {
    "errors": 0,
    "telemetry": 0,
    "extras": 1,
    "configuration": 2,
    "settings": 2,
    "engine": 1,
    "storage": 2,
    "formats": 2,
    "commands": 3,
    "present": 4,
    "service": 5,
    "catalog": 6,
    "transfer": 6,
    "auth": 6,
    "delivery": 6,
    "testing": 6,
    "http": 7,
    "site": 8,
    "console": 9,
    "demo": 9,
    "server": 10,
    "simulate": 10,
    "contrib": 11,
    "cli": 11,
    "__main__": 12,
}
"""Nothing imports from a layer above its own. A new package gets its layer here."""

WORDS = {
    "values",
    "events",
    "instants",
    "fields",
    "names",
    "numbers",
    "parsing",
    "policies",
    "dated_values",
    "days",
    "distinct",
    "day_sums",
    "limits",
    "zones",
    "periods",
    "progress",
    "ranking",
    "pseudonyms",
    "renames",
    "conditions",
    "steps",
    "where",
    "level_formulas",
    "unlocks",
    "point_kinds",
    "spending",
    "units",
    "supply",
    "toml_text",
    "boosts",
    "languages",
    "availability",
}
"""Modules of the engine that nouns are made of."""

NOUNS = {"metrics", "streaks", "points", "levels", "badges", "leaderboards", "adjustments", "categories"}
"""What a catalog defines, and what an operator applies: one file each."""

DECISIONS = {
    "key_fixes",
    "catalog_schema",
    "catalog_keys",
    "catalog_keys.badges",
    "catalog_keys.boosts",
    "catalog_keys.conditions",
    "catalog_keys.file",
    "catalog_keys.key_types",
    "catalog_keys.leaderboards",
    "catalog_keys.metrics",
    "catalog_keys.points",
    "catalog_keys.shared",
    "catalog_keys.streaks",
    "catalog",
    "rule_index",
    "rule_versions",
    "pay_changes",
    "caps",
    "cross_checks",
    "tiers",
    "sequences",
    "elapsing",
    "adding",
    "fingerprints",
    "succession",
    "counting",
    "recounting",
    "judge",
    "holding",
    "repeats",
    "validity",
    "occurrence",
    "adjust",
    "scoring",
    "closings",
    "notifications",
    "own_history",
    "plans",
    "boost_warnings",
    "differences",
    "warnings",
    "entitlements",
    "former_units",
}
"""Modules of the engine in which nouns meet."""

CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}
FORBIDDEN = {"open", "print", "input", "eval", "exec", "sleep", "getenv"}
MOST_LINES = 40
"""Of a function, without its docstring."""

LONGER = {"cli.leaderboards.leaderboard": "declares twelve options"}
"""Functions that may be longer, and why."""

MOST_LINES_OF_A_FILE = 500


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, by its name within it ('engine.days'; '' is the package itself)."""
    found: dict[str, ast.Module] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text("utf-8"), str(path))
    return found


def imports(module: str) -> Iterator[str]:
    """Every module that this one imports, wherever in it; those of the package by their name within it, after a '.'."""
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            yield from (own(pseudonym.name) for pseudonym in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            name = own(node.module or "")
            inner = [f"{name}.{pseudonym.name}".replace("..", ".") for pseudonym in node.names]
            found = [one for one in inner if one.removeprefix(".") in modules() and one.startswith(".")]
            yield from found or [name]


def own(name: str) -> str:
    return name.removeprefix("laurels") if name.partition(".")[0] == "laurels" else name


def own_imports(module: str) -> set[str]:
    return {name.removeprefix(".") for name in imports(module) if name.startswith(".") or not name}


def part(module: str) -> str:
    return module.partition(".")[0]


def of(*parts: str) -> list[str]:
    return [name for name in modules() if part(name) in parts]


@pytest.mark.parametrize("module", [name for name in modules() if name])
def test_imports_only_go_down(module: str) -> None:
    assert part(module) in LAYERS, f"give {part(module)} its layer"
    for name in own_imports(module):
        assert name, f"{module} imports the package as its users do"
        assert LAYERS[part(name)] <= LAYERS[part(module)], f"{module} imports {name}"


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {name: own_imports(name) - {name} for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


def test_the_engine_imports_only_itself_errors_and_the_standard_library() -> None:
    import sys  # noqa: PLC0415  # only here

    for module in of("engine"):
        for name in imports(module):
            outside = not name.startswith(".")
            known = (
                name.partition(".")[0] in sys.stdlib_module_names if outside else part(name[1:]) in ("engine", "errors")
            )
            assert known, f"{module} imports {name}"


def test_the_engine_reads_no_clock_does_no_io_and_never_waits() -> None:
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    for module in of("engine"):
        assert not {"random", "time", "os", "asyncio", "secrets", "uuid"} & set(imports(module)), module
        for node in ast.walk(modules()[module]):
            assert not isinstance(node, waits), f"{module}:{node.lineno}"
            if isinstance(node, ast.Call):
                assert not called(node) & (CLOCKS | FORBIDDEN), f"{module}:{node.lineno}"


def called(node: ast.Call) -> set[str]:
    """The name that is called: 'open' for open(...), and 'now' for datetime.now(...); a file of the package is data."""
    if isinstance(node.func, ast.Name):
        return {node.func.id} - {"time"}  # datetime.time makes a time of day
    if isinstance(node.func, ast.Attribute):
        return {node.func.attr} - {"open"}  # a file of the tzdata package
    return set()


def test_every_module_of_the_engine_is_a_word_a_noun_or_a_decision() -> None:
    assert {name.removeprefix("engine.") for name in of("engine") if name != "engine"} <= WORDS | NOUNS | DECISIONS
    assert not WORDS & NOUNS
    assert not DECISIONS & (WORDS | NOUNS)


def test_the_nouns_of_the_engine_import_words_only() -> None:
    for name in WORDS | NOUNS:
        engine = {other.removeprefix("engine.") for other in own_imports(f"engine.{name}") if part(other) == "engine"}
        assert engine <= WORDS, name


def test_only_the_door_of_storage_names_an_engine_of_it() -> None:
    engines = {path.name for path in (PACKAGE / "storage").iterdir() if (path / "store.py").exists()}
    assert "sqlite" in engines
    for module in modules():
        named = {name for name in own_imports(module) for engine in engines if name.startswith(f"storage.{engine}")}
        inside = any(module.startswith(f"storage.{engine}") for engine in engines)
        assert not named or inside or module == "storage" or part(module) in ("cli", "testing"), f"{module}: {named}"


def test_the_public_names_are_complete() -> None:
    tree = modules()[""]
    imported = [pseudonym.name for node in tree.body if isinstance(node, ast.ImportFrom) for pseudonym in node.names]
    assert sorted(laurels.__all__) == sorted(set(imported))


def test_every_public_error_can_be_imported_from_the_package() -> None:
    errors = {node.name for node in modules()["errors"].body if isinstance(node, ast.ClassDef)}
    assert errors - {"Fault"} <= set(laurels.__all__)


@cache
def documented() -> set[str]:
    """The names of methods that a Protocol or a base class of the package documents; its subclasses need not repeat it."""
    classes = [node for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base) for node in classes for base in node.bases}
    found: set[str] = set()
    for node in classes:
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
        if any(ast.unparse(base) == "Protocol" for base in node.bases):
            found |= {method.name for method in methods}
        elif node.name in bases:
            found |= {method.name for method in methods if ast.get_docstring(method)}
    return found


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
            yield inner
            if isinstance(inner, ast.ClassDef):
                yield from public(inner)


@pytest.mark.parametrize("module", modules())
def test_every_public_name_says_what_it_is(module: str) -> None:
    tree, explained = modules()[module], documented()
    assert ast.get_docstring(tree), f"{module} has no docstring"
    silent = [one.name for one in public(tree) if not ast.get_docstring(one) and one.name not in explained]
    assert not silent, f"{module}: {silent}"


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function has, without its docstring."""
    assert function.end_lineno
    lines, first = function.end_lineno - function.lineno + 1, function.body[0]
    if ast.get_docstring(function) and first.end_lineno:
        lines -= first.end_lineno - first.lineno + 1
    return lines


@pytest.mark.parametrize("module", modules())
def test_no_function_has_more_than_forty_lines(module: str) -> None:
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{module}.{node.name}"
            assert lines_of(node) <= MOST_LINES or name in LONGER, name


def test_no_file_has_more_than_five_hundred_lines() -> None:
    lengths = {path: path.read_text("utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert [path for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE] == []
