"""The client in an editor's own Python: its files copied into an empty folder, with grpcio and protobuf and no more."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

from layoutbrush.runtime.testing import ServerThread

NEEDED = ("grpcio", "protobuf", "googleapis-common-protos", "typing_extensions")
"""Distributions that an editor's Python gets; googleapis-common-protos holds google.rpc, the details of errors."""


def vendor(repository: Path, target: Path) -> Path:
    """Copy what a plugin's zip would hold, and what it brings along, into an empty folder."""
    ours, theirs = target / "ours", target / "theirs"
    leave = shutil.ignore_patterns("__pycache__", "*.proto", "commands", "conformance", "demo", "gateway", "web_page")
    for portion, name in (("proto", "v1"), ("plugin_bridge", "plugin_bridge")):
        shutil.copytree(repository / portion / "layoutbrush" / name, ours / "layoutbrush" / name, ignore=leave)
    for name in NEEDED:
        for file in metadata.files(name) or ():
            path = Path(str(file.locate()))
            if ".." not in file.parts and "__pycache__" not in file.parts and path.is_file():
                (theirs / file).parent.mkdir(parents=True, exist_ok=True)
                (theirs / file).symlink_to(path)
    return target


def test_copied_files_work_alone(repository: Path, tmp_path: Path) -> None:
    target = vendor(repository, tmp_path)
    script = """
        import sys
        sys.path[:0] = sys.argv[2:]
        from layoutbrush.plugin_bridge import Client, MockClient, Picture
        photo = Picture(bytes(range(256)) * 75 * 3, 160, 120)
        labels, edited = bytes(160 * 120), bytearray(160 * 120)
        edited[3000:3050] = b"\\1" * 50  # the end of row 18, the start of row 19
        def paint(client):
            print(client.check())
            with client.open(photo, Picture.gray(labels, 160, 120)) as document:
                for event in document.edit(Picture.gray(bytes(edited), 160, 120), grow=0.0, previews=("warped",)):
                    print(type(event).__name__, end=" ")
                print(event.picture.shape, event.picture.y)
        paint(MockClient())
        with Client(sys.argv[1]) as client:
            paint(client)
        assert not {"numpy", "PIL", "rich", "tyro", "onnxruntime"} & set(sys.modules)
        assert not any("site-packages" in (getattr(m, "__file__", "") or "") for m in sys.modules.values())
    """
    alone = [sys.executable, "-I", "-S", "-W", "error", "-c"]
    with ServerThread() as server:
        done = subprocess.run(
            [*alone, textwrap.dedent(script), server.address, str(target / "ours"), str(target / "theirs")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Result") == 2
    assert done.stdout.count("(2, 160, 3) 18") == 2
