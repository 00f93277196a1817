"""The examples of docs/security.md, as they are: proxies in front of a real server, the service, the role of PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest

from laurels import Event, Laurels
from tests.support import postgres
from tests.support.app import PROFILE, SESSIONS, event
from tests.support.serving import SECONDS, Served, Server

pytestmark = pytest.mark.anyio

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "security.md"
STREAM = "/api/gamification/stream"
PROXIES = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}"))
    for name in ("nginx", "caddy")
]


def block(language: str) -> str:
    """The configuration in the document."""
    found = re.search(rf"^```{language}\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, language
    return found[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the name in the document, signed by itself, and its key."""
    files = folder / "laurels.pem", folder / "laurels.key"
    subject = ["-subj", "/CN=laurels.example.com", "-addext", "subjectAltName=DNS:laurels.example.com"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def nginx(folder: Path, port: int, laurels: str, text: str) -> list[str]:
    """The command that starts nginx with this configuration."""
    public, private = certificate(folder)
    text = text.replace("127.0.0.1:8000", laurels).replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    text = text.replace("/etc/ssl/laurels.pem", str(public)).replace("/etc/ssl/laurels.key", str(private))
    paths = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    file = folder / "nginx.conf"
    file.write_text(whole, "utf-8")
    return ["nginx", "-e", "stderr", "-c", str(file)]


def caddy(folder: Path, port: int, laurels: str, text: str) -> list[str]:
    """The command that starts Caddy with this configuration."""
    public, private = certificate(folder)
    site, *rest = text.replace("127.0.0.1:8000", laurels).splitlines()
    address = f"https://laurels.example.com:{port}"
    text = "\n".join(
        [site.replace("laurels.example.com", address), f"\ttls {public} {private}\n\tbind 127.0.0.1", *rest]
    )
    file = folder / "Caddyfile"
    file.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n{text}\n", "utf-8")
    return ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]


@asynccontextmanager
async def proxied(name: str, server: Server, folder: Path, text: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A client of this proxy, which is in front of the server. `text` is its configuration; '': that of the document."""
    port = free_port()
    laurels = str(server.client.base_url).removeprefix("http://").rstrip("/")
    command = {"nginx": nginx, "caddy": caddy}[name](folder, port, laurels, text or block(name))
    with (folder / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)
    headers = {"host": "laurels.example.com"}
    try:
        async with httpx2.AsyncClient(
            base_url=f"https://127.0.0.1:{port}", headers=headers, verify=False, timeout=SECONDS, trust_env=False
        ) as client:
            await _until_up(client, process, folder)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def _until_up(client: httpx2.AsyncClient, process: asyncio.subprocess.Process, folder: Path) -> None:
    for _ in range(SECONDS * 10):
        assert process.returncode is None, (folder / "proxy.log").read_text()
        try:
            await client.get("/livez", extensions={"sni_hostname": "laurels.example.com"})
        except httpx2.ConnectError:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError((folder / "proxy.log").read_text())


SNI = {"sni_hostname": "laurels.example.com"}


@pytest.mark.parametrize("name", PROXIES)
async def test_a_proxy_passes_on_what_laurels_needs_and_keeps_the_console_inside(name: str, tmp_path: Path) -> None:
    served = Served(f"sqlite:///{tmp_path / 'laurels.db'}", tmp_path)
    await served.prepare()
    async with served.server() as server, proxied(name, server, tmp_path) as client:
        opened = await client.post(SESSIONS, json={"userId": "ada"}, headers=server.by_key, extensions=SNI)
        assert opened.status_code == 201, opened.text
        assert "Secure" in opened.headers["set-cookie"]
        cookie = {"cookie": f"laurels-session={opened.json()['token']}"}

        assert (await client.get(PROFILE, headers=cookie, extensions=SNI)).status_code == 200
        assert (await client.get("/console/sign-in", extensions=SNI)).status_code == 403
        async with client.stream("GET", STREAM, headers=cookie, extensions=SNI) as stream:
            assert stream.status_code == 200
            notified = asyncio.create_task(_first_badge(stream))
            await server.send(event("ada", "agent.created"))
            assert '"badge":"first_agent"' in await asyncio.wait_for(notified, SECONDS)


async def _first_badge(stream: httpx2.Response) -> str:
    """The data of the first notification of a badge."""
    async for line in stream.aiter_lines():
        if line.startswith("data:") and '"badge.earned"' in line:
            return line
    raise AssertionError("the stream has ended")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_service_of_systemd_is_valid_and_well_confined(tmp_path: Path) -> None:
    unit = tmp_path / "laurels.service"
    unit.write_text(block("ini").replace("/opt/laurels/bin/laurels", "/bin/true"), "utf-8")

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=40", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "laurels.service" not in verified.stderr, verified.stderr
    assert rated.returncode == 0, rated.stdout[-500:]


async def test_the_role_of_postgresql_owns_its_schema_and_nothing_else() -> None:
    with postgres.database() as address:
        database, role = address.partition("?")[0].rpartition("/")[2], f"laurels_test_{secrets.token_hex(8)}"
        granted = re.sub(r"\b(ROLE|AUTHORIZATION|TO) laurels\b", rf"\1 {role}", block("sql"))
        for statement in granted.replace("DATABASE app", f"DATABASE {database}").strip().split(";\n"):
            await postgres.run(address, statement.rstrip(";"))
        own = re.sub(r"//[^/@]*@", f"//{role}@", address)
        try:
            async with Laurels.open(own) as laurels:
                assert (await laurels.record(Event("ada", "1", "agent.created"))).points.after == 50
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await postgres.run(own, "CREATE SCHEMA other")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await postgres.run(own, "CREATE TABLE public.other (id INT)")
        finally:
            await postgres.run(address, f"DROP OWNED BY {role} CASCADE")
            await postgres.run(address, f"DROP ROLE {role}")
