"""The command `layoutbrush`: finds the commands of all installed portions and runs one.

Each portion names its commands in the entry-point group `layoutbrush.commands`; an entry is a module with a docstring
(its first line is the line in the list of commands), a frozen dataclass `Config` (the flags) and `run(config) -> int`.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType

from layoutbrush.runtime.errors import InvalidArgument, LayoutbrushError, NotFound

GROUP = "layoutbrush.commands"
DISTRIBUTION = "layoutbrush"

FAILED, MISUSED, INTERRUPTED = 1, 2, 130
"""Exit statuses: it could not be done; it was asked for wrongly; Ctrl-C."""

_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "google": "protobuf", "grpc_tools": "grpcio-tools"}
"""Modules whose package has another name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. `arguments`: without the program's name; None = those of the
    process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    if not words or words[0] in ("-h", "--help", "help"):
        _list(commands)
        return 0
    if words[0] in ("-V", "--version"):
        print(f"layoutbrush {version()}")
        return 0
    name, *rest = words
    if name not in commands:
        near = difflib.get_close_matches(name, commands, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return _say(f"There is no command {name!r}.{hint} `layoutbrush --help` lists them all.", MISUSED)
    try:
        return _run(name, commands[name], rest)
    except KeyboardInterrupt:
        return _say("Cancelled.", INTERRUPTED)
    except BrokenPipeError:
        return FAILED
    except ModuleNotFoundError as error:
        return _say(missing(name, error.name or ""), FAILED)
    except (InvalidArgument, NotFound) as error:
        return _say(str(error), MISUSED)
    except LayoutbrushError as error:
        return _say(str(error), FAILED)
    except OSError as error:
        if error.filename is None:  # no file of the user's: a fault of ours
            raise
        return _say(f"{os.fsdecode(error.filename)}: {error.strerror}.", FAILED)


def check_output(path: Path | None, flag: str) -> None:
    """Refuse a file that can't be written before there is anything to write; its folder is made.

    Raises:
        InvalidArgument: naming the flag.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidArgument(f"{path} can't be written: {error.strerror}.", flag) from None
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InvalidArgument(f"{path} can't be written: it is a folder, or not yours to write.", flag)


def version() -> str:
    """Return the installed version, "0" where the package runs from its folder without being installed."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0"


def missing(command: str, module: str) -> str:
    """Return the sentence for a command that lacks a module: which extra to install."""
    if module.split(".")[0] == DISTRIBUTION:
        return f"`layoutbrush {command}` is not part of this installation."
    package = _PACKAGES.get(module.split(".")[0], module.split(".")[0])
    extra = extra_of(package)
    wanted = f"{DISTRIBUTION}[{extra}]" if extra else package
    return f"`layoutbrush {command}` needs the package {package}: pip install '{wanted}'"


def extra_of(package: str) -> str:
    """Return the extra that brings a package, empty where none does."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ""
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        extra = re.search(r"extra\s*==\s*[\"']([\w-]+)[\"']", requirement)
        if name and extra and _normal(name.group()) == _normal(package):
            return extra.group(1)
    return ""


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _run(name: str, entry: metadata.EntryPoint, words: Sequence[str]) -> int:
    import tyro

    module: ModuleType = entry.load()
    config = tyro.cli(module.Config, prog=f"layoutbrush {name}", description=module.__doc__, args=words)
    return int(module.run(config))


def _list(commands: dict[str, metadata.EntryPoint]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    for name in sorted(commands):
        table.add_row(Text(f"  {name}", style="bold"), Text(_first_line(commands[name])))
    console = Console(highlight=False)
    console.print("Layoutbrush: paint the label map of a photo, and the photo follows.\n")
    console.print("usage: layoutbrush COMMAND [options]     `layoutbrush COMMAND --help` explains one\n", markup=False)
    console.print(table)
    console.print("\nFirst time here? `layoutbrush doctor` says what is installed and what is missing.", markup=False)


def _first_line(entry: metadata.EntryPoint) -> str:
    try:
        text = (entry.load().__doc__ or "").strip()
    except ModuleNotFoundError as error:
        return missing(entry.name, error.name or "")
    return text.splitlines()[0] if text else ""


def _say(sentence: str, status: int) -> int:
    print(f"layoutbrush: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
