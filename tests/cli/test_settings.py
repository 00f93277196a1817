"""Settings: a field is enough for a new one, the nearest source wins, each error names its fix, and no secret is shown."""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from cyclopts import App

from docs import settings_table
from laurels import configuration
from laurels.cli.options import Options, options_of, texts_of
from laurels.cli.settings import show
from laurels.configuration import MASK, Secret, setting, settings_in, unknown_variables
from laurels.errors import SettingsError
from laurels.settings import DatabaseSettings, DatabaseUrl, Origin, Settings, ZoneName, read_settings
from laurels.storage import shown_address
from tests.cli.conftest import Cli, Server

SECRET = "geheim"
ADDRESS = f"postgresql://laurels:{SECRET}@127.0.0.1:1/app"


class Hook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of a list: a table with a secret."""

    url: str
    secret: Secret = Secret("")


class AuthJs(msgspec.Struct, frozen=True):
    """An area within an area."""

    secrets: Annotated[list[Secret], setting("secrets that sign cookies, newest first")] = []
    cookies: Annotated[dict[str, str], setting("cookies by purpose")] = {}


class Auth(msgspec.Struct, frozen=True):
    """An area with an area in it."""

    password: Annotated[Secret | None, setting("password of the mail server")] = None
    authjs: AuthJs = AuthJs()


class Gadget(msgspec.Struct, frozen=True):
    """An area."""

    size: Annotated[int, setting("how large gadgets are", least=1, most=9)] = 4
    strict: Annotated[bool, setting("whether gadgets are checked")] = False
    hooks: Annotated[tuple[Hook, ...], setting("what is called")] = ()


class Sample(msgspec.Struct, frozen=True):
    """Settings as a test needs them."""

    auth: Auth = Auth()
    gadget: Gadget = Gadget()


SampleOptions = options_of(Sample)
NONE_GIVEN = SampleOptions()


def read(
    folder: Path,
    file: str = "",
    environment: dict[str, str] | None = None,
    options: dict[str, str | None] | None = None,
    kind: type[Any] = Sample,
) -> tuple[Any, dict[str, configuration.Sourced]]:
    (folder / "laurels.toml").write_text(file, "utf-8")
    return configuration.read(kind, options or {}, environment or {}, folder)


def refused(folder: Path, *given: Any, **more: Any) -> str:
    with pytest.raises(SettingsError) as error:
        read(folder, *given, **more)
    assert SECRET not in str(error.value)
    return str(error.value)


# ---- one field is enough ----------------------------------------------------------------------


def test_a_field_is_a_file_key_a_variable_an_option_and_a_row_of_every_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_file, _ = read(tmp_path, "[gadget]\nsize = 5\n")
    in_variable, _ = read(tmp_path, environment={"LAURELS_GADGET_SIZE": "6"})
    app = App(result_action="return_value")

    @app.default
    def command(given: SampleOptions = NONE_GIVEN) -> object:
        return given

    in_option, found = read(tmp_path, options=dict(texts_of(app(["--gadget-size", "7"]), Sample)))
    app(["--help"])
    help_ = " ".join(capsys.readouterr().out.split())
    show(found, json=False)

    assert (in_file.gadget.size, in_variable.gadget.size, in_option.gadget.size) == (5, 6, 7)
    assert "--gadget-size" in help_
    assert "how large gadgets are" in help_
    assert "LAURELS_GADGET_SIZE" in help_
    assert re.search(r"^gadget\.size +7 +--gadget-size", capsys.readouterr().out, re.MULTILINE)
    row = "| `gadget.size` | `4` | how large gadgets are | `LAURELS_GADGET_SIZE`, `--gadget-size` |"
    assert row in settings_table.table(Sample)


def test_every_setting_has_help_and_a_unique_name_variable_and_option() -> None:
    rows = settings_in(Settings)

    assert all(row.help for row in rows)
    for names in ([row.name for row in rows], [row.variable for row in rows], [row.option for row in rows]):
        assert len(set(names)) == len(names)


def test_each_setting_can_be_given_as_an_option(cli: Cli) -> None:
    for row in settings_in(Settings):
        default = configuration.shown(row.default)
        text = default if isinstance(default, str) else json.dumps(default)
        document = cli("settings", row.option, text, "--json").json

        assert document[row.name] == {"value": default, "source": row.option}


# ---- sources ----------------------------------------------------------------------------------


def test_the_nearest_source_wins_and_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.file("laurels.toml", "[server]\nport = 1\nworkers = 2\n[rules]\nlate_days = 3\n")
    monkeypatch.setenv("LAURELS_PORT", "11")
    monkeypatch.setenv("LAURELS_WORKERS", "12")

    document = cli("settings", "--port", "21", "--json").json
    shown = cli("settings", "--port", "21")

    assert document["server.port"] == {"value": 21, "source": "--port"}
    assert document["server.workers"] == {"value": 12, "source": "LAURELS_WORKERS"}
    assert document["rules.late_days"] == {"value": 3, "source": str(cli.folder / "laurels.toml")}
    assert document["server.host"] == {"value": "127.0.0.1", "source": "default"}
    assert "LAURELS_WORKERS" in shown.out


def test_the_file_that_a_variable_names_is_read_by_every_command(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("migrate", "--database", cli.database)
    config = cli.file("elsewhere.toml", f'[database]\nurl = "{cli.database}"\n')
    monkeypatch.setenv("LAURELS_CONFIG", str(config))

    assert cli("leaderboard", "--json").json["rankedUsers"] == 0


def test_lists_and_tables_can_be_given_in_every_source(tmp_path: Path) -> None:
    file = """
        [auth]
        password = "p"
        [auth.authjs]
        secrets = ["new", "old"]
        cookies = { session = "id" }
        [[gadget.hooks]]
        url = "https://a.example"
        secret = "s"
    """
    variables = {
        "LAURELS_AUTH_PASSWORD": "p",
        "LAURELS_AUTH_AUTHJS_SECRETS": '["new", "old"]',
        "LAURELS_AUTH_AUTHJS_COOKIES": '{session = "id"}',
        "LAURELS_GADGET_HOOKS": '[{"url": "https://a.example", "secret": "s"}]',
    }
    names = {row.variable: row.name for row in settings_in(Sample)}
    expected = Sample(
        auth=Auth(Secret("p"), AuthJs([Secret("new"), Secret("old")], {"session": "id"})),
        gadget=Gadget(hooks=(Hook("https://a.example", Secret("s")),)),
    )

    assert read(tmp_path, file)[0] == expected
    assert read(tmp_path, environment=variables)[0] == expected
    assert read(tmp_path, options={names[variable]: text for variable, text in variables.items()})[0] == expected


def test_one_item_of_a_list_may_be_written_without_brackets(tmp_path: Path) -> None:
    one, _ = read(tmp_path, environment={"LAURELS_AUTH_AUTHJS_SECRETS": "a, b"})
    none, _ = read(tmp_path, environment={"LAURELS_AUTH_AUTHJS_SECRETS": ""})

    assert one.auth.authjs.secrets == [Secret("a, b")]
    assert none.auth.authjs.secrets == []


def test_variables_that_kubernetes_sets_for_a_service_of_our_name_are_ignored(tmp_path: Path) -> None:
    variables = {
        "LAURELS_PORT": "tcp://10.0.0.1:80",
        "LAURELS_PORT_80_TCP_ADDR": "10.0.0.1",
        "LAURELS_SERVICE_HOST": "10.0.0.1",
        "LAURELS_SERVICE_PORT_HTTP": "80",
    }

    assert read(tmp_path, environment=variables, kind=Settings)[0] == Settings()


def test_unknown_variables_are_not_refused_and_have_a_suggestion() -> None:
    variables = {
        "LAURELS_PROT": "1",
        "LAURELS_BANANAS": "1",
        "LAURELS_TEST_AXE": "x",
        "LAURELS_PORT": "tcp://10.0.0.1:80",
    }

    assert unknown_variables(Settings, variables) == {
        "LAURELS_PROT": "did you mean 'LAURELS_PORT'?",
        "LAURELS_BANANAS": "'laurels settings' shows all",
    }


def test_options_and_variables_are_unique() -> None:
    rows = settings_in(Settings)
    assert len({row.option for row in rows}) == len({row.variable for row in rows}) == len(rows)


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("prot = 1", "unknown setting 'prot'; did you mean 'server.port'?"),
        ("port = 1", "unknown setting 'port'; did you mean 'server.port'?"),
        ("[sever]\nport = 1", "unknown setting 'sever'; did you mean 'server'?"),
        ("[server]\nprot = 1", "unknown setting 'server.prot'; did you mean 'server.port'?"),
        ("[server]\nevents = 1", "did you mean 'limits.events' or 'queue.events'?"),
        ("[server]\nbananas = 1", "unknown setting 'server.bananas'; 'laurels settings' shows all"),
        ("server = 1", "'server' is a table; write its settings under [server]"),
        ('[server]\nport = "80"', "server.port ({file}) must be a whole number from 0 to 65535, not '80'"),
        ("[server]\nport = true", "server.port ({file}) must be a whole number from 0 to 65535, not True"),
        ("[server]\nhost = 1", "server.host ({file}) must be text, not 1"),
        ('[log]\nlevel = "loud"', "log.level ({file}) must be one of"),
        ('[server]\norigins = "x"', 'server.origins ({file}) must be a list such as ["one", "two"]'),
        ('[server]\norigins = ["x"]', "server.origins[0] ({file}): 'x' is not an origin; write scheme, host and port"),
        ('[rules]\ndefault_zone = "Mars/Olympus"', "rules.default_zone ({file}): unknown time zone 'Mars/Olympus'"),
        ("[database]\nurl = 3", "database.url ({file}) must be text"),
        ("[", "laurels.toml is not TOML"),
    ],
)
def test_an_error_in_the_file_names_setting_source_and_fix(tmp_path: Path, file: str, said: str) -> None:
    assert said.format(file=tmp_path / "laurels.toml") in refused(tmp_path, file, kind=Settings)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        (
            "LAURELS_PORT",
            "high",
            "server.port (LAURELS_PORT) must be a whole number from 0 to 65535, not 'high'",
        ),
        (
            "LAURELS_ORIGINS",
            "[x",
            'server.origins (LAURELS_ORIGINS) must be a list such as ["one", "two"]',
        ),
        ("LAURELS_CONFIG", "none.toml", "LAURELS_CONFIG names 'none.toml', which is not a file"),
    ],
)
def test_an_error_in_the_environment_names_setting_variable_and_fix(
    tmp_path: Path, variable: str, text: str, said: str
) -> None:
    assert said in refused(tmp_path, environment={variable: text}, kind=Settings)


def test_an_unknown_name_within_a_list_of_tables_has_a_suggestion(tmp_path: Path) -> None:
    text = refused(tmp_path, '[[gadget.hooks]]\nurl = "x"\nsecrt = "geheim"\n')

    assert f"gadget.hooks[0] ({tmp_path / 'laurels.toml'}): unknown setting 'secrt'; did you mean 'secret'?" in text


def test_an_error_is_one_line_and_exit_code_2(cli: Cli) -> None:
    cli.file("laurels.toml", "[server]\nprot = 1\n")

    ended = cli("settings")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert "did you mean 'server.port'?" in ended.err


# ---- secrets ----------------------------------------------------------------------------------


def test_a_secret_is_masked_in_every_text_and_refused_by_every_encoder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    file = f'[auth]\npassword = "{SECRET}"\n[auth.authjs]\nsecrets = ["{SECRET}"]\n'
    settings, found = read(tmp_path, file)
    logging.getLogger("test").warning("%s %r", settings.auth.password, settings)
    show(found, json=False)
    show(found, json=True)
    printed = capsys.readouterr().out
    written = [str(settings), repr(settings), f"{settings.auth.password}", repr(found), caplog.text, printed]

    assert not [text for text in written if SECRET in text]
    assert all(MASK in text for text in written)
    assert settings.auth.password.reveal() == SECRET
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ('[auth]\npassword = ["geheim"]\n', {}),
        ('[auth.authjs]\nsecrets = "geheim"\n', {}),
        ('[auth.authjs]\nsecrets = [["geheim"]]\n', {}),
        ('[[gadget.hooks]]\nsecret = "geheim"\n', {}),
        ("", {"LAURELS_AUTH_AUTHJS_SECRETS": "[geheim"}),
        ("", {"LAURELS_AUTH_AUTHJS_COOKIES": "geheim"}),
    ],
)
def test_an_error_in_a_secret_does_not_show_it(tmp_path: Path, file: str, environment: dict[str, str]) -> None:
    assert "auth." in (text := refused(tmp_path, file, environment)) or "gadget.hooks[0]" in text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:geheim@db/app", "postgresql://u:***@db/app"),
        ("postgresql://u:ge heim@db/app", "postgresql://u:***@db/app"),
        (
            "postgresql://u@db/app?password=geheim&application_name=x",
            "postgresql://u@db/app?password=***&application_name=x",
        ),
        ("postgresql://u:geheim@db/app?sslpassword=geheim", "postgresql://u:***@db/app?sslpassword=***"),
        ("postgresql://u:gehe/im@geheim@db:5432/app", "postgresql://u:***@db:5432/app"),
        ("postgresql://u:geheim@[bad/app", "postgresql://u:***@[bad/app"),
        ("host=db password=geheim user=u", "host=db password=*** user=u"),
        ("postgresql://u@db:5432/app", "postgresql://u@db:5432/app"),
        ("sqlite:////home/a:b@c/laurels.db", "sqlite:////home/a:b@c/laurels.db"),
    ],
)
def test_only_passwords_in_the_address_of_a_database_are_masked(address: str, shown: str) -> None:
    assert shown_address(address) == shown
    assert str(DatabaseUrl(address)) == shown
    assert shown in repr(Settings(database=DatabaseSettings(url=DatabaseUrl(address))))


@pytest.mark.parametrize("address", [ADDRESS, f"postgresql://laurels@127.0.0.1:1/app?password={SECRET}"])
def test_no_command_shows_the_password_of_the_database(cli: Cli, address: str) -> None:
    for command in (["settings"], ["settings", "--json"], ["doctor"], ["serve", "--port", "0"], ["demo"]):
        shown = cli(*command, "--database", address)
        assert SECRET not in shown.out + shown.err, command
    assert SECRET not in cli("migrate", address).err
    assert MASK in cli("settings", "--database", address).out


def test_settings_reach_another_process_with_their_secrets(tmp_path: Path) -> None:
    settings, _ = read(tmp_path, f'[auth.authjs]\nsecrets = ["{SECRET}"]\n')

    assert pickle.loads(pickle.dumps(settings)) == settings
    assert read_settings({}, {"LAURELS_DATABASE": ADDRESS}, tmp_path / "empty")[0].database.url.reveal() == ADDRESS
    whole = Settings(database=DatabaseSettings(url=DatabaseUrl(ADDRESS)))
    assert pickle.loads(pickle.dumps(whole)).database.url.reveal() == ADDRESS


@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="needs Linux's /proc to look at processes")
def test_no_worker_has_a_setting_in_its_arguments_or_its_environment(serving: Callable[..., Server], cli: Cli) -> None:
    name = f"{SECRET}.db"
    cli.file("laurels.toml", f'[database]\nurl = "sqlite:///{name}"\n[server]\nworkers = 2\nport = 0\n')
    server = serving("serve")
    server.ask("/livez")

    for process in (server.started.pid, *server.children()):
        visible = Path(f"/proc/{process}/cmdline").read_bytes() + Path(f"/proc/{process}/environ").read_bytes()
        assert SECRET.encode() not in visible
    assert (cli.folder / name).is_file()
    assert server.stop(signal.SIGTERM) == 0


# ---- types of settings ------------------------------------------------------------------------


def test_types_of_settings_check_their_text() -> None:
    assert Origin("https://app.example.com") == "https://app.example.com"
    assert ZoneName("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(ValueError, match="is not an origin"):
        Origin("https://app.example.com/")
    with pytest.raises(ValueError, match="unknown time zone"):
        ZoneName("Mars/Olympus")


def test_options_that_are_not_given_are_none() -> None:
    assert set(texts_of(Options(), Settings).values()) == {None}
    assert "LAURELS_CONFIG" not in {row.variable for row in settings_in(Settings)}
    assert os.environ.get("LAURELS_CONFIG") is None
