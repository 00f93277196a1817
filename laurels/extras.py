"""The extras of the distribution: the packages that each installs, and the error when one is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from laurels.errors import MissingExtra

Extra = Literal["postgres", "server"]

PACKAGES: dict[Extra, tuple[str, ...]] = {
    "postgres": ("asyncpg",),
    "server": ("httptools", "itsdangerous", "jinja2", "pyotp", "segno", "swagger_ui", "tomlkit", "uvicorn", "uvloop"),
}
"""The modules that each extra installs. A test compares them with pyproject.toml."""

NEEDED_BY: dict[Extra, str] = {"postgres": "PostgreSQL needs", "server": "The HTTP server needs"}


def require(extra: Extra) -> None:
    """Raise MissingExtra if a package of this extra is not installed."""
    if not all(map(find_spec, PACKAGES[extra])):
        raise _missing(extra)


def missing_extra(error: BaseException | None) -> MissingExtra | None:
    """MissingExtra if a missing package caused this error, or one of its causes; else None."""
    if error is None or isinstance(error, MissingExtra):
        return error
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        for extra, packages in PACKAGES.items():
            if package in packages:
                return _missing(extra)
    return missing_extra(error.__cause__)


def _missing(extra: Extra) -> MissingExtra:
    return MissingExtra(f'{NEEDED_BY[extra]} packages that are not installed; run: pip install "laurels[{extra}]"')
