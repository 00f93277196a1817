"""No form of a database's address shows its password, in what is shown of it or in the error that it causes."""

from __future__ import annotations

import traceback

import pytest

from laurels.errors import SettingsError
from laurels.settings import DatabaseUrl
from laurels.storage import open_store, shown_address, without_password

WORD = "S3cr3tPw"

READABLE = [
    f"postgresql://u:{WORD}@h/db",
    f"postgresql://u:{WORD}%40x@h/db",
    f"postgresql://u:a:{WORD}@h/db",
    f"postgres://u:{WORD}@h:5432,h2:5433/db",
    f"postgresql://u:{WORD}@[::1]:5432/db",
    f"postgresql://h/db?password={WORD}",
    f"postgresql://u@h/db?user=x&password={WORD}&sslmode=require",
    f"postgresql://u@h/db?PASSWORD={WORD}",
    f"postgresql://u@h/db?pass%77ord={WORD}",
    f"postgresql://u@h/db?sslpassword={WORD}",
    f"postgresql://u@h/db?sslp%61ssword={WORD}",
    f"postgresql://u@h1,h2/db?passfile=/x&password={WORD}#y",
    f"postgresql://u%3A{WORD}@h/db",
]
MALFORMED = [
    f"postgresql://u:a/{WORD}@h/db",
    f"postgresql://u:a?{WORD}@h/db",
    f"postgresql://u:{WORD}",
    f"postgresql:u:{WORD}@h/db",
    f"postgresql:/u:{WORD}@h/db",
]
OF_NO_ENGINE = [f"pg://u:{WORD}@h/db", f"u:{WORD}@h/db", f"mysql://u:a@{WORD}@h/db", f"host=h password='a {WORD}'"]

WITHOUT = [
    "postgresql://u@db:5432/app",
    "postgresql://db:5432,db2:5433/app",
    "postgresql://u@[::1]:5432,h/db?application_name=x@y",
    "postgresql:///app?host=/run/postgresql",
    "postgresql://u@h/db?passfile=/home/u/.pgpass",
]


@pytest.mark.parametrize("address", [*READABLE, *MALFORMED, *OF_NO_ENGINE, f"postgresql://u:a {WORD}@h/db"])
def test_the_password_of_an_address_is_masked_in_every_form(address: str) -> None:
    for shown in (shown_address(address), str(DatabaseUrl(address)), repr(DatabaseUrl(address))):
        assert WORD not in shown
        assert "***" in shown


@pytest.mark.parametrize("address", WITHOUT)
def test_an_address_without_a_password_is_shown_as_it_is(address: str) -> None:
    assert shown_address(address) == without_password(address) == address


@pytest.mark.parametrize("address", [*MALFORMED, *OF_NO_ENGINE])
def test_an_address_that_cannot_be_read_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(SettingsError) as refused:
        open_store(address)
    assert WORD not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("address", READABLE[:-1])
def test_what_a_driver_understands_is_not_refused(address: str) -> None:
    open_store(address)
