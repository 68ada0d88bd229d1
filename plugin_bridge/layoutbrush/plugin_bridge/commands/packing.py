"""Plug-ins as one zip that holds all they need: host code, the client, the contract, grpcio and protobuf.

The two libraries hold compiled code, so that a zip fits one minor version of Python on one platform. For the Python
that runs this they are taken from its own installation; for any other one pip fetches the wheels.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from layoutbrush.plugin_bridge.commands.files import FileProblem, Problem

VENDORED = ("grpcio", "protobuf", "googleapis-common-protos", "typing-extensions")
_WANTED = ("grpc/", "google/protobuf/", "google/_upb/", "google/rpc/", "typing_extensions.py")
_PLATFORMS = {
    "linux": ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64"),
    "linux-arm": ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"),
    "windows": ("win_amd64",),
    "macos": ("macosx_11_0_universal2", "macosx_11_0_arm64", "macosx_12_0_universal2", "macosx_14_0_universal2"),
}
_EPOCH = (2000, 1, 1, 0, 0, 0)
Member = tuple[str, bytes]
"""Path inside the zip, and its bytes."""


def pack(
    out: Path, python: str, platform: str, host: str, extra: Sequence[Member] = (), programs: Sequence[str] = ()
) -> int:
    """Write the zip of a host's plug-in, its folder `layoutbrush_<host>` with all it needs, and say so; returns 0.

    `extra`: members beside that folder. `programs`: members that the host executes.

    Raises:
        Problem: this installation lacks a part, or the libraries can't be had.
    """
    name = f"layoutbrush_{host}"

    def members() -> Iterator[Member]:
        yield from folder_members(host_folder(host) / name, f"{name}/")
        yield from extra
        yield f"{name}/LICENSE", licence()
        yield from vendor(python, platform, f"{name}/vendor/")

    told = write_zip(out, members(), programs=programs)
    print(f"{told}, for Python {python} on {platform or own_platform()}")
    return 0


def host_folder(name: str) -> Path:
    """The folder of a host's own code: inside the installed package, or beside it in a checkout.

    Raises:
        Problem: this installation doesn't have it.
    """
    package = _folder("plugin_bridge")
    for folder in (package / "hosts" / name, package.parents[1] / "hosts" / name):
        if folder.is_dir():
            return folder
    raise Problem(f"This installation of Layoutbrush does not hold the plug-in for {name}.")


def own_platform() -> str:
    """This machine's platform, by the names of `--platform`."""
    if sys.platform == "win32":
        return "windows"
    if sys.platform == "darwin":
        return "macos"
    return "linux-arm" if "aarch64" in sysconfig.get_platform() else "linux"


def vendor(python: str, platform: str, prefix: str) -> Iterator[Member]:
    """What a plug-in carries besides its own code, below `prefix`.

    `python`: such as "3.11", at least 3.10. `platform`: see `_PLATFORMS`; empty = this machine's.

    Raises:
        Problem: the libraries can't be had for it.
    """
    if not re.fullmatch(r"3\.\d+", python) or int(python.split(".")[1]) < 10:
        raise Problem("--python is a version such as 3.11, and at least 3.10.")
    if platform and platform not in _PLATFORMS:
        raise Problem(f"--platform is one of {', '.join(_PLATFORMS)}.")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}", own_platform()
    wanted = python, platform or own_platform()
    libraries = _fetched(*wanted) if wanted != here else (file for name in VENDORED for file in _installed(name))
    for path, data in itertools.chain(_ours("v1"), _ours("plugin_bridge"), libraries):
        yield prefix + path, data


def write_zip(path: Path, members: Iterator[Member], programs: Sequence[str] = ()) -> str:
    """Write a zip, whole or not at all, the same bytes for the same members; returns its name and size in words.

    `programs`: members that can be executed once they are unpacked.

    Raises:
        FileProblem: the folder can't be written to.
    """
    files = dict(members)
    folders = {f"{parent}/" for name in files for parent in PurePosixPath(name).parents if str(parent) != "."}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".zip", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in sorted([*folders, *files]):  # Krita looks for the entry of the folder itself
                    info = zipfile.ZipInfo(name, _EPOCH)
                    mode = 0o100755 if name in programs else 0o100644
                    info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else mode << 16
                    info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
                    archive.writestr(info, files.get(name, b""))
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise FileProblem(f"{path} can't be written: {error.strerror or 'no room or no permission'}.") from error
    return f"{path}: {path.stat().st_size / 1e6:.1f} MB"


def folder_members(folder: Path, prefix: str) -> Iterator[Member]:
    """All files below a folder, but what Python leaves behind."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{prefix}{path.relative_to(folder).as_posix()}", path.read_bytes()


def licence() -> bytes:
    """Our own licence, for the zip.

    Raises:
        Problem: this installation doesn't hold it.
    """
    beside = _folder("plugin_bridge").parents[2] / "LICENSE"
    if beside.is_file():
        return beside.read_bytes()
    for path in metadata.files("layoutbrush") or ():
        if path.name == "LICENSE":
            return path.read_binary()
    raise Problem("This installation of Layoutbrush does not hold its LICENSE file.")


def _folder(portion: str) -> Path:
    """Where a portion's files are. By its own file: an editable install has no folder of resources."""
    spec = find_spec(f"layoutbrush.{portion}")
    if spec is None or spec.origin is None:
        raise Problem(f"This installation of Layoutbrush lacks {portion}.")
    return Path(spec.origin).resolve().parent


def _ours(portion: str) -> Iterator[Member]:
    """A portion's modules; of the bridge, the client and what hosts share."""
    folder = _folder(portion)
    found = [*folder.glob("*.py"), *(folder / "host").glob("*.py")]
    for path in sorted(found):
        if path.name != "private_server.py":
            yield f"layoutbrush/{portion}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _installed(name: str) -> Iterator[Member]:
    for file in metadata.files(name) or ():
        path = file.as_posix()
        if _is_wanted(path):
            yield path, file.read_binary()


def _fetched(python: str, platform: str) -> Iterator[Member]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", python, "--implementation", "cp", "--dest", folder]
        command += [word for tag in _PLATFORMS[platform] for word in ("--platform", tag)]
        command += [f"{name}=={metadata.version(name)}" for name in VENDORED]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            raise Problem(f"The libraries for Python {python} on {platform} can't be fetched: {last}")
        for wheel in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                for path in archive.namelist():
                    if _is_wanted(path):
                        yield path, archive.read(path)


def _is_wanted(path: str) -> bool:
    """True for what is imported, and for the licences and names of the libraries."""
    if path.endswith((".pyc", ".pyi", "/")) or ".." in path:
        return False
    if ".dist-info/" in path:
        return "LICENSE" in path or path.endswith("METADATA")
    return path.startswith(_WANTED)
