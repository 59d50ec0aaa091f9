"""The pages' files as a browser meets them: over HTTP from a real server, behind the envelope layer.

The fetched files themselves must be there: `make setup` brings them.
"""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response

import hatch_build
from soloist.infra import http
from soloist.infra.apidocs import docs_page
from soloist.infra.assets import FOLDER, MANIFEST, AssetMissing, asset, mount_static
from soloist.infra.errors import Problem

ROOT = Path(hatch_build.__file__).parent
NAMES = [entry.name for entry in hatch_build.ASSETS]
FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx2.Client]:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(Problem, http.on_problem)
    app.add_exception_handler(HTTPException, http.on_http_exception)
    app.state.all_routes = app.router.routes
    mount_static(app)

    @app.get("/api/cockpit/docs")
    async def show() -> Response:
        return docs_page("/api/cockpit/openapi.json", 'Soloist <"&">')

    app.add_middleware(http.Envelope)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"Accept-Encoding": "identity"}) as client:
        yield client
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("name", NAMES)
def test_hashed_file_is_kept_for_good_and_named_after_its_content(client: httpx2.Client, name: str) -> None:
    path = asset(name)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == FOREVER
    assert hashlib.sha256(answer.content).hexdigest()[:12] == path.rsplit(".", 2)[1]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("swagger-ui.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
        ("swagger-ui.png", "image/png"),
    ],
)
def test_type_is_stated_and_may_not_be_guessed(client: httpx2.Client, name: str, media_type: str) -> None:
    answer = client.get(asset(name))
    assert answer.headers["content-type"] == media_type
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_packed_copy_goes_only_to_whoever_takes_gzip(client: httpx2.Client, accepted: str, packed: bool) -> None:
    path = asset("swagger-ui.css")
    plain = client.get(path).content
    with client.stream("GET", path, headers={"Accept-Encoding": accepted}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(sent) if packed else sent) == plain
    assert len(sent) == int(answer.headers["content-length"])


def test_our_own_file_is_asked_for_again_and_not_sent_twice(client: httpx2.Client) -> None:
    first = client.get("/static/apidocs.js")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/static/apidocs.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_head_answers_like_get_without_the_body(client: httpx2.Client) -> None:
    head, got = client.head("/static/apidocs.css"), client.get("/static/apidocs.css")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    "path",
    [
        "/static/vendor/manifest.json",
        "/static/vendor/licences/swagger-ui-dist/LICENSE",
        "/static/vendor",
        "/static/nothing.js",
        "/static/apidocs.js/nothing.js",
        "/static/%00.js",
        "/static/%ff%fe.js",
        "/static/..%2finfra%2fassets.py",
        "/static/../infra/assets.py",
        "/static/%2fetc%2fpasswd.js",
        f"/static/{'a' * 300}.js",
    ],
)
def test_nothing_else_is_served(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_packed_copy_has_no_address_of_its_own(client: httpx2.Client) -> None:
    assert client.get(asset("swagger-ui.js") + ".gz").status_code == 404


def test_static_files_know_only_get_and_head(client: httpx2.Client) -> None:
    answer = client.post("/static/apidocs.js")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_unknown_asset_is_refused_with_the_known_names() -> None:
    with pytest.raises(AssetMissing, match=r"no asset 'jquery'.*swagger-ui\.css.*make setup"):
        asset("jquery")


def test_missing_manifest_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(AssetMissing, match="Run `make setup`"):
        asset("swagger-ui.js", tmp_path / "manifest.json")


class References(HTMLParser):
    """What a page loads, and whether anything on it is inline."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        if tag in ("script", "link"):
            self.loaded.append(given.get("src") or given.get("href") or "")


def test_docs_page_loads_only_from_us_and_has_nothing_inline(client: httpx2.Client) -> None:
    page = client.get("/api/cockpit/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found = References()
    found.feed(page.text)
    assert found.inline == []
    assert len(found.loaded) == 5
    assert {client.get(path).status_code for path in found.loaded if path.startswith("/static/")} == {200}
    assert all(path.startswith("/static/") for path in found.loaded)


def test_docs_page_forbids_the_browser_everything_but_our_origin(client: httpx2.Client) -> None:
    policies = client.get("/api/cockpit/docs").headers.get_list("content-security-policy")
    assert len(policies) == 1
    rules = dict(rule.split(" ", 1) for rule in policies[0].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe" not in policies[0]


def test_docs_page_escapes_its_title(client: httpx2.Client) -> None:
    assert "<title>Soloist &lt;&quot;&amp;&quot;&gt;</title>" in client.get("/api/cockpit/docs").text


def test_every_package_ships_its_licence() -> None:
    packages = {entry.package for entry in hatch_build.ASSETS}
    for package in packages:
        texts = {file.name for file in (FOLDER / "vendor" / "licences" / package).iterdir()}
        assert any(re.match("LICEN[CS]E", name) for name in texts), package


@pytest.fixture
def copy_of_project(tmp_path: Path) -> Path:
    for name in (*hatch_build.NPM_FILES, "hatch_build.py", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "README.md").write_text("# Soloist\n")
    for folder in ("src", "migrations"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_assets_are_fetched_anew_when_the_lock_changes(copy_of_project: Path) -> None:
    assert hatch_build.is_current(copy_of_project)
    with (copy_of_project / "package-lock.json").open("a") as lock:
        lock.write("\n")
    assert not hatch_build.is_current(copy_of_project)


def test_assets_are_fetched_anew_when_one_is_gone(copy_of_project: Path) -> None:
    files = json.loads(MANIFEST.read_text())["files"]
    (hatch_build.vendor_folder(copy_of_project) / files["swagger-ui.css"]).unlink()
    assert not hatch_build.is_current(copy_of_project)


def test_wheel_carries_page_files_and_migrations(copy_of_project: Path, tmp_path: Path) -> None:
    target = tmp_path / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=copy_of_project, check=True, capture_output=True)
    inside = set(zipfile.ZipFile(next(target.glob("*.whl"))).namelist())
    ours = {
        "static/apidocs.js",
        "static/apidocs.css",
        "templates/apidocs.html",
        "static/vendor/manifest.json",
    }
    theirs = {asset(name).removeprefix("/") for name in NAMES}
    assert {f"soloist/{path}" for path in ours | theirs} <= inside
    assert "soloist/static/vendor/licences/swagger-ui-dist/LICENSE" in inside
    steps = {step.name for step in (ROOT / "migrations" / "versions").glob("*.sql")}
    assert {f"soloist/migrations/versions/{step}" for step in steps} <= inside
    assert not any("__pycache__" in path or path.startswith("src/") for path in inside)
