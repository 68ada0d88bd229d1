"""The rules of the house: which portion may import what, how long files are, what is written down, what is not kept."""

from __future__ import annotations

import ast
import hashlib
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTIONS = {
    "v1": "proto",
    "runtime": "runtime",
    "plugin_bridge": "plugin_bridge",
    "training": "training",
    "export": "export",
}
ARROWS = {
    "v1": {"v1"},
    "runtime": {"runtime", "v1"},
    "plugin_bridge": {"plugin_bridge", "v1"},
    "training": {"training", "runtime", "v1"},
    "export": {"export", "training", "runtime", "v1"},
}
# Import names of the base install's dependencies.
WIRE_PACKAGES = {"google", "grpc", "grpc_health", "grpc_reflection", "grpc_status"}
BASE_PACKAGES = WIRE_PACKAGES | {"PIL", "numpy", "onnxruntime", "rich", "tyro"}
# Imported where installed, and only inside functions: extras, peers of the benchmark, the demo's photograph.
OPTIONAL_PACKAGES = {
    "runtime": {"cuda", "tensorrt", "tensorrt_rtx", "onnx", "cv2", "patchmatch"},
    "plugin_bridge": {"sklearn"},
}
# Folders of the plugin bridge that aren't vendored.
BESIDE_CLIENT = ("commands", "conformance", "demo")
# Folders that only an entry point leads to, and the packages of the extra that they need.
EXTRA_FOLDERS = {"gateway": {"connectrpc", "hypercorn", "protobuf"}}
SOURCE_SUFFIXES = {".py", ".pyi", ".cc", ".cpp", ".h", ".hpp", ".cu", ".proto", ".toml", ".js", ".ts", ".tsx", ".css"}
LONGEST_FILE, LONGEST_MEDIAN = 600, 200
LARGEST_FILE_OUTSIDE_BUNDLES = 2 << 20
LARGEST_BUNDLE = 32_000_000


def tracked() -> list[Path]:
    """Paths of the tracked files that exist, relative to the root."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout, so there is no list of tracked files")
    return [Path(name) for name in listing.split("\0") if name and (ROOT / name).exists()]


def is_generated(path: Path) -> bool:
    return "_pb2" in path.name or path.name.endswith("_pb.ts")


def package(portion: str) -> Path:
    return ROOT / PORTIONS[portion] / "layoutbrush" / portion


def imports(path: Path, portion: str) -> Iterator[str]:
    """Absolute dotted names of every module that a file imports, by statement or by `import_module` of a literal."""
    here = ["layoutbrush", portion, *path.relative_to(package(portion)).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) - node.level]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def python_files(portion: str) -> list[Path]:
    return sorted(package(portion).rglob("*.py"))


def foreign(portion: str, path: Path) -> Iterator[str]:
    """Top-level names a file imports that are neither ours nor the standard library's."""
    for name in imports(path, portion):
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top != "layoutbrush":
            yield top


@pytest.mark.parametrize("portion", PORTIONS)
def test_imports_follow_the_arrows(portion: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(portion)
        for name in imports(path, portion)
        if name.startswith("layoutbrush.") and name.split(".")[1] not in ARROWS[portion]
    ]
    assert not wrong


@pytest.mark.parametrize("portion", ["v1", "runtime", "plugin_bridge"])
def test_base_portions_import_only_base_packages(portion: str) -> None:
    allowed = BASE_PACKAGES | OPTIONAL_PACKAGES.get(portion, set())
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(portion)
        for name in foreign(portion, path)
        if name not in allowed | EXTRA_FOLDERS.get(path.parent.name, set())
    ]
    assert not wrong


@pytest.mark.parametrize("portion", OPTIONAL_PACKAGES)
def test_optional_packages_are_imported_inside_functions(portion: str) -> None:
    wrong = []
    for path in python_files(portion):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            wrong += [path.name for name in names if name.split(".")[0] in OPTIONAL_PACKAGES[portion]]
    assert not wrong


def test_client_can_be_vendored() -> None:
    """An editor's Python has grpcio and protobuf from a vendored folder, and nothing else of ours but `v1`."""
    bridge = package("plugin_bridge")
    wrong = []
    for path in python_files("plugin_bridge"):
        if {*BESIDE_CLIENT, *EXTRA_FOLDERS} & set(path.relative_to(bridge).parts):
            continue
        wrong += [f"{path.name} imports {name}" for name in foreign("plugin_bridge", path) if name not in WIRE_PACKAGES]
        wrong += [
            f"{path.name} imports {name}"
            for name in imports(path, "plugin_bridge")
            if name.startswith(tuple(f"layoutbrush.plugin_bridge.{f}" for f in (*BESIDE_CLIENT, *EXTRA_FOLDERS)))
        ]
    assert not wrong


def test_arrows_are_seen_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: each way to write a forbidden import is found."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = package("runtime") / "sub" / "module.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import layoutbrush.training.data\nfrom layoutbrush import export\nfrom ...plugin_bridge import client\n"
        "from . import near\nimport importlib\ndef f():\n    import torch.nn\n"
        "    return importlib.import_module('layoutbrush.export.schema')\n"
    )
    assert set(imports(path, "runtime")) == {
        "layoutbrush.training.data",
        "layoutbrush.export",
        "layoutbrush.plugin_bridge.client",
        "layoutbrush.runtime.sub.near",
        "importlib",
        "torch.nn",
        "layoutbrush.export.schema",
    }


@pytest.mark.parametrize("portion", PORTIONS)
def test_namespace_is_shared(portion: str) -> None:
    assert package(portion).is_dir()
    assert (package(portion) / "py.typed").exists()
    assert not (package(portion).parent / "__init__.py").exists()


def test_files_are_short() -> None:
    lengths = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines())
        for path in tracked()
        if path.suffix in SOURCE_SUFFIXES and not is_generated(path) and path.name != "__init__.py"
    }
    assert not {str(path): lines for path, lines in lengths.items() if lines > LONGEST_FILE}
    assert statistics.median(lengths.values()) <= LONGEST_MEDIAN


@pytest.mark.parametrize("folder", [*PORTIONS.values(), "tests"])
def test_readme_names_each_file(folder: str) -> None:
    """Each source file has a line in a README of its top-level folder, and no line names a file that is gone.

    Lines name files relative to the README's own folder or, in a portion's README, to its package. A README further
    down (a plug-in's, the web page's) may name the files beside and below it instead.
    """
    paths = [path for path in tracked() if path.parts[0] == folder]
    described, gone = set[Path](), []
    for readme in (path for path in paths if path.name == "README.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        named = re.findall(r"^\| `([^`]+)` \| \S.*\|$", text, flags=re.MULTILINE)
        places = [ROOT / readme.parent]
        if readme.parent == Path(folder):
            places += [package(name) for name, top in PORTIONS.items() if top == folder]
        assert len(named) == len(set(named)), f"{readme} names a file twice"
        described |= {place / name for place in places for name in named}
        gone += [f"{readme}: {name}" for name in named if not any((place / name).exists() for place in places)]
    files = [
        ROOT / path
        for path in paths
        if (path.suffix in SOURCE_SUFFIXES or path.name == "CMakeLists.txt")
        and path.name != "__init__.py"
        and not is_generated(path)
    ]
    assert not [str(path.relative_to(ROOT)) for path in files if path not in described], "files without a line"
    assert not gone, "lines without a file"


def entry_points() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return dict(project["entry-points"]["layoutbrush.commands"])


@pytest.mark.parametrize("name", entry_points())
def test_command_modules_have_their_form(name: str) -> None:
    """`Config`, `run` and a docstring whose first line is the help line, and nothing heavy at import."""
    portion, *rest = entry_points()[name].removeprefix("layoutbrush.").split(".")
    path = package(portion).joinpath(*rest).with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert (ast.get_docstring(tree) or "").splitlines()[0].strip()
    assert {"Config", "run"} <= {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    at_import = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert not at_import & {"torch", "onnx", "onnxruntime", "onnxscript", "grpc", "sklearn", "cv2"}


def test_no_machine_paths() -> None:
    """Nobody's home or build folder is written into the repository."""
    machine_path = re.compile(rb"/(?:ho" rb"me|ro" rb"ot|wo" rb"rk|Use" rb"rs)/\w")
    found = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" in data[:4096] or path.name == "LICENSE":
            continue
        found += [f"{path}: {data[m.start() : m.end() + 20]!r}" for m in machine_path.finditer(data)]
    assert not found


def test_nothing_large_is_kept() -> None:
    """The bundle is the only large thing in the repository."""
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    bundles = sum(size for path, size in sizes.items() if "bundles" in path.parts)
    assert bundles < LARGEST_BUNDLE
    assert not [
        str(path) for path, size in sizes.items() if size > LARGEST_FILE_OUTSIDE_BUNDLES and "bundles" not in path.parts
    ]


def test_no_file_of_a_data_set_is_kept(shared: Path) -> None:
    """No tracked file equals, byte for byte, a file of the data sets (found by size first, then by SHA-256)."""
    ours: dict[int, list[Path]] = {}
    for path in tracked():
        if size := (ROOT / path).stat().st_size:
            ours.setdefault(size, []).append(ROOT / path)
    copied = []
    for theirs in (shared / "data").rglob("*"):
        if theirs.is_file() and (candidates := ours.get(theirs.stat().st_size)):
            digest = hashlib.sha256(theirs.read_bytes()).digest()
            copied += [p.name for p in candidates if hashlib.sha256(p.read_bytes()).digest() == digest]
    assert not copied
