"""Reads a struct of settings from options, environment variables and a file. The settings themselves are in settings.py.

A struct has areas, each a struct of its own, to any depth; every other field is a setting. The field gives its name
(`log.level`), option (`--log-level`), variable (LAURELS_LOG_LEVEL), help and bounds. A field may name a shorter option, which
the variable follows: `server.port` is `--port` and LAURELS_PORT. The first source wins: option, variable, file, default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect
from msgspec.structs import FieldInfo, fields

from laurels.engine.parsing import closest
from laurels.errors import SettingsError

PREFIX = "LAURELS_"
CONFIG_FILE = "laurels.toml"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
MASK = "***"

NO_SETTING = re.compile(rf"{CONFIG_VARIABLE}|{PREFIX}(TEST|BENCH)_\w+")
"""Variables that are not settings: the one that names the file, and those of the tests and the bench."""

KUBERNETES = re.compile(rf"{PREFIX}(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)")
"""Variables that Kubernetes sets in every container next to a service named 'laurels'."""

LISTS = (inspect.ListType, inspect.VarTupleType, inspect.SetType, inspect.FrozenSetType)
TABLES = (inspect.DictType, inspect.StructType)
WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
"""A whole number as a person types it."""

SCALARS = (inspect.StrType, inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.LiteralType)
LIST_EXAMPLE = 'a list such as ["one", "two"]'

S = TypeVar("S", bound=msgspec.Struct)


class Secret:
    """A text that is masked in every output; `reveal` returns it. No encoder writes it into JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def setting(
    help: str,  # noqa: A002  # what argparse and cyclopts call it
    *,
    least: int | None = None,
    most: int | None = None,
    option: str = "",
) -> msgspec.Meta:
    """The metadata of a setting: its help, the bounds of a number, and the name of its option unless it is AREA-NAME."""
    return msgspec.Meta(description=help, ge=least, le=most, extra={"option": option})


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as a struct declares it. `path` names its areas and itself."""

    path: tuple[str, ...]
    type: Any
    default: Any
    help: str
    option: str

    @property
    def name(self) -> str:
        """'server.port', as the file and messages name it."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """'LAURELS_PORT', which follows the option."""
        return PREFIX + self.option.removeprefix("--").replace("-", "_").upper()


@dataclass(frozen=True, slots=True)
class Sourced:
    """The value of a setting, and the option, variable or file that it came from; or 'default'."""

    value: Any
    source: str


@cache
def settings_in(kind: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """All settings of a struct and its areas, in order."""
    return tuple(_walk(kind, ()))


def _walk(kind: type[msgspec.Struct], above: tuple[str, ...]) -> Iterator[Setting]:
    for field in fields(kind):
        path = (*above, field.name)
        area = _area(field)
        if area:
            yield from _walk(area, path)
            continue
        help_, option = _metadata(field)
        yield Setting(path, field.type, _default(field), help_, f"--{option or '-'.join(path).replace('_', '-')}")


def _metadata(field: FieldInfo) -> tuple[str, str]:
    """The help and the option given to `setting`."""
    metas = [meta for meta in getattr(field.type, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    if not metas:
        return "", ""
    return metas[0].description or "", cast(Mapping[str, str], metas[0].extra or {}).get("option", "")


def _area(field: FieldInfo) -> type[msgspec.Struct] | None:
    """The struct of an area; None for a setting."""
    return field.type if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct) else None


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    if field.default is msgspec.NODEFAULT:
        raise TypeError(f"the setting '{field.name}' has no default")
    return field.default


def read(
    kind: type[S], options: Mapping[str, str | None], environment: Mapping[str, str], folder: Path
) -> tuple[S, dict[str, Sourced]]:
    """The settings in force, and the value and source of each, by name.

    `options` are texts by the names of settings; None: not given. The file is the one that LAURELS_CONFIG names, or
    `laurels.toml` in `folder`. Raises SettingsError, which names the setting, its source and the fix, and shows no secret.
    """
    in_file, in_environment = _from_file(kind, environment, folder), _from_environment(kind, environment)
    found: dict[str, Sourced] = {}
    for row in settings_in(kind):
        option = options.get(row.name)
        if option is not None:
            found[row.name] = _converted(row, option, row.option, text=True)
        elif row.name in in_environment:
            found[row.name] = _converted(row, in_environment[row.name], row.variable, text=True)
        elif row.name in in_file:
            found[row.name] = _converted(row, in_file[row.name].value, in_file[row.name].source)
        else:
            found[row.name] = Sourced(row.default, "default")
    return cast(S, _built(kind, (), found)), found


def shown(value: Any) -> Any:
    """A value for output: plain lists, tables, texts and numbers, each secret masked."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))


def _built(kind: type[msgspec.Struct], above: tuple[str, ...], found: Mapping[str, Sourced]) -> msgspec.Struct:
    values: dict[str, Any] = {}
    for field in fields(kind):
        path, area = (*above, field.name), _area(field)
        values[field.name] = _built(area, path, found) if area else found[".".join(path)].value
    return kind(**values)


# ---- the file and the environment -------------------------------------------------------------


def _from_file(kind: type[msgspec.Struct], environment: Mapping[str, str], folder: Path) -> dict[str, Sourced]:
    path = Path(environment.get(CONFIG_VARIABLE, folder / CONFIG_FILE))
    if not path.is_file():
        if CONFIG_VARIABLE in environment:
            raise SettingsError(f"{CONFIG_VARIABLE} names '{path}', which is not a file")
        return {}
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    known = {row.name: row.path[-1] for row in settings_in(kind)}
    return {name: Sourced(value, str(path)) for name, value in _flat(kind, tables, "", str(path), known)}


def _flat(
    kind: type[msgspec.Struct], table: Mapping[str, Any], above: str, source: str, known: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    """The settings of a table and of its areas, by name. `known` are all full names, each with its last part."""
    own = {field.name: field for field in fields(kind)}
    for key, value in table.items():
        if key not in own:
            candidates = {above + name: name for name in own} if isinstance(value, dict) else known
            raise SettingsError(
                f"{source}: unknown setting '{above}{key}'; {_suggestion(above + key, key, candidates)}"
            )
        area = _area(own[key])
        if not area:
            yield above + key, value
        elif isinstance(value, dict):
            yield from _flat(area, cast(Mapping[str, Any], value), f"{above}{key}.", source, known)
        else:
            raise SettingsError(f"{source}: '{above}{key}' is a table; write its settings under [{above}{key}]")


def _from_environment(kind: type[msgspec.Struct], environment: Mapping[str, str]) -> dict[str, str]:
    rows = {row.variable: row.name for row in settings_in(kind)}
    return {rows[name]: text for name, text in environment.items() if name in rows and not _is_foreign(name, text)}


def unknown_variables(kind: type[msgspec.Struct], environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that begin with LAURELS_ and are no setting, each with a suggestion.

    They are not refused: other programs may use the prefix.
    """
    known = {row.variable: row.path[-1].upper() for row in settings_in(kind)}
    return {
        name: _suggestion(name, name.removeprefix(PREFIX), known)
        for name, text in environment.items()
        if name.startswith(PREFIX) and name not in known and not _is_foreign(name, text)
    }


def _is_foreign(variable: str, text: str) -> bool:
    """Whether a variable that begins with LAURELS_ has another use. Kubernetes sets LAURELS_PORT to an address."""
    if variable == f"{PREFIX}PORT":
        return "://" in text
    return bool(NO_SETTING.fullmatch(variable) or KUBERNETES.fullmatch(variable))


def _suggestion(name: str, word: str, known: Mapping[str, str]) -> str:
    """The fix for an unknown name, whose last part is `word`. `known` are full names, each with its last part."""
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    if not near:
        words = get_close_matches(word, set(known.values()), n=1, cutoff=0.7)
        near = [full for full, own in known.items() if own in words]
    names = " or ".join(f"'{one}'" for one in near)
    return f"did you mean {names}?" if near else "'laurels settings' shows all"


# ---- one value --------------------------------------------------------------------------------


def _converted(row: Setting, value: Any, source: str, *, text: bool = False) -> Sourced:
    """The value converted to the setting's type, and checked. `text`: whether it is the text of an option or a variable."""
    info = _plain(row.type)
    try:
        if text:
            value = _parsed(info, value)
        lax = text and isinstance(info, SCALARS)
        return Sourced(msgspec.convert(value, row.type, strict=not lax, dec_hook=_from_plain), source)
    except msgspec.ValidationError as error:
        raise SettingsError(_fault(row, info, value, source, str(error))) from None


def _from_plain(kind: type[Any], value: Any) -> Any:
    """Convert a text to one of our own types."""
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  # msgspec adds the path to a ValueError
    return kind(value)


def _plain(kind: Any) -> inspect.Type:
    """The description of a type by msgspec, without its metadata and without None."""
    info = inspect.type_info(kind)
    while isinstance(info, (inspect.Metadata, inspect.UnionType)):
        if isinstance(info, inspect.Metadata):
            info = info.type
        else:
            info = next(member for member in info.types if not isinstance(member, inspect.NoneType))
    return info


def _parsed(info: inspect.Type, text: str) -> Any:
    """The value of a text: lists and tables are TOML or JSON; a list of one item may be just the item."""
    if isinstance(info, inspect.IntType) and not WHOLE.fullmatch(text):
        raise msgspec.ValidationError("must be a whole number")  # msgspec would take 1e3
    if isinstance(info, LISTS) and not text.lstrip().startswith("["):
        return [text] if text else []
    if not isinstance(info, (*LISTS, *TABLES)):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            raise msgspec.ValidationError("is neither TOML nor JSON") from None


def _fault(row: Setting, info: inspect.Type, value: Any, source: str, problem: str) -> str:
    """What is wrong with a value. Only values of plain types are shown: any other may contain a secret."""
    if isinstance(info, SCALARS):
        return f"{row.name} ({source}) must be {_expected(info)}, not {value!r}"
    reason, _, place = problem.partition(" - at `$")
    name = f"{row.name}{place.rstrip('`')}"
    unknown = re.match("Object contains unknown field `(.+)`", reason)
    if unknown:
        return f"{name} ({source}): unknown setting '{unknown[1]}'; {closest(unknown[1], _names_within(info))}"
    if isinstance(info, LISTS) and not place:
        return f"{name} ({source}) must be {LIST_EXAMPLE}"
    if isinstance(info, TABLES) and not place:
        return f'{name} ({source}) must be a table such as {{name = "value"}}: {reason}'
    return f"{name} ({source}) {reason}" if reason.startswith("must ") else f"{name} ({source}): {reason}"


def _expected(info: inspect.Type) -> str:
    if isinstance(info, inspect.LiteralType):
        return f"one of {', '.join(map(str, info.values))}"
    if isinstance(info, (inspect.IntType, inspect.FloatType)):
        number = "a whole number" if isinstance(info, inspect.IntType) else "a number"
        return f"{number} from {info.ge} to {info.le}" if info.ge is not None and info.le is not None else number
    return "true or false" if isinstance(info, inspect.BoolType) else "text"


def _names_within(info: inspect.Type) -> set[str]:
    """The names of all fields of the structs that a list or table holds."""
    if isinstance(info, inspect.StructType):
        return {field.name for field in info.fields}.union(*(_names_within(field.type) for field in info.fields))
    if isinstance(info, inspect.Metadata):
        return _names_within(info.type)
    if isinstance(info, inspect.DictType):
        return _names_within(info.value_type)
    return _names_within(info.item_type) if isinstance(info, LISTS) else set()
