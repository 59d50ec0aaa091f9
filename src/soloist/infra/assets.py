"""Files of the pages: our own in `static/`, third-party ones under hashed names in `static/vendor/`.

The build hook fills `static/vendor/` from npm. A hashed name's content never changes: it is cached for good.
"""

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from soloist.infra.errors import MethodNotAllowed

URL = "/static"
FOLDER = Path(__file__).resolve().parent.parent / "static"
MANIFEST = FOLDER / "vendor" / "manifest.json"

# Named here, because the machine's own table differs from one system to the next. Nothing else is served.
TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_HASHED = re.compile(r"\.[0-9a-f]{12}\.[a-z0-9]+$")
_METHODS = ("GET", "HEAD")


class AssetMissing(LookupError):
    """A third-party file that the build did not bring."""


def asset(name: str, manifest: Path = MANIFEST) -> str:
    """The URL path of a third-party file, by the name that the build hook's table gives it.

    Raises AssetMissing when the build did not bring it.
    """
    files = _files(manifest)
    if name not in files:
        raise AssetMissing(
            f"There is no asset {name!r} in {manifest}; it has: {', '.join(sorted(files))}. "
            "New ones are added to the table in hatch_build.py and fetched by `make setup`."
        )
    return f"{URL}/vendor/{files[name]}"


def mount_static(app: FastAPI) -> None:
    """Serve the folder at /static; browsers keep hashed files for a year and ask anew for all others."""
    app.mount(URL, Static(directory=FOLDER), name="static")


class Static(StaticFiles):
    """Known kinds of files only; a copy packed at build time goes to whoever takes gzip."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in _METHODS:
            raise MethodNotAllowed(
                f"{scope['method']} is not known here; allowed: {', '.join(_METHODS)}.",
                details={"allowed": list(_METHODS)},
                headers={"Allow": ", ".join(_METHODS)},
            )
        if Path(path).suffix not in TYPES:
            raise HTTPException(404)
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        request = Headers(scope=scope)
        file = Path(full_path)
        forever = _HASHED.search(file.name) is not None
        headers = {"Cache-Control": "public, max-age=31536000, immutable" if forever else "no-cache"}
        packed = file.with_name(f"{file.name}.gz")
        if packed.is_file():
            headers["Vary"] = "Accept-Encoding"
            if _takes_gzip(request.get("accept-encoding", "")):
                headers["Content-Encoding"] = "gzip"
                file, stat_result = packed, packed.stat()
        response = FileResponse(file, status_code, headers, TYPES[Path(full_path).suffix], stat_result=stat_result)
        if self.is_not_modified(response.headers, request):
            return NotModifiedResponse(response.headers)
        return response


@lru_cache
def _files(manifest: Path) -> dict[str, str]:
    try:
        files: dict[str, str] = json.loads(manifest.read_text())["files"]
    except FileNotFoundError:
        raise AssetMissing(
            f"The pages' third-party files have not been fetched: {manifest} is missing. Run `make setup`."
        ) from None
    return files


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight, re.IGNORECASE) is None
    return False
