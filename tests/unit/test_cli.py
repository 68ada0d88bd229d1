"""The command line: help that teaches, near misses, missing extras, exit statuses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from layoutbrush.runtime import cli
from layoutbrush.runtime.errors import DamagedBundle, InvalidArgument
from layoutbrush.runtime.examination import BROKEN, MISSING, OK, examine

OWN = ("serve", "doctor", "bench", "edit", "edit-folder", "segment")


@pytest.fixture(autouse=True)
def installed() -> None:
    if not metadata.entry_points(group=cli.GROUP):
        pytest.skip("layoutbrush is not installed here, so its commands are not registered")


@dataclass(frozen=True)
class Config:
    """Flags of the test command."""

    number: int = 1
    """A number."""


class Entry:
    """An entry point that loads a module made by the test."""

    def __init__(self, run: Any, fails: Exception | None = None) -> None:
        self.name = "test"
        self._fails = fails
        self._module = ModuleType("test", "Test things.\n\nMore about it.")
        self._module.Config, self._module.run = Config, run  # type: ignore[attr-defined]

    def load(self) -> ModuleType:
        if self._fails:
            raise self._fails
        return self._module


def registered(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry])


def failing(error: BaseException) -> Any:
    def run(_: Config) -> int:
        raise error

    return run


def test_list_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"]):
        assert cli.main(words) == 0
        text = capsys.readouterr().out
        assert all(name in text for name in OWN)
        assert "doctor" in text


@pytest.mark.parametrize("name", OWN)
def test_help_explains_each_flag(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([name, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert f"layoutbrush {name}" in text
    assert len(text.splitlines()) > 10


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("layoutbrush ")


def test_near_miss_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doktor"]) == cli.MISUSED
    assert "Did you mean doctor?" in capsys.readouterr().err


def test_flags_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, Entry(lambda config: config.number))
    assert cli.main(["test", "--number", "7"]) == 7


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InvalidArgument("It is 0 to 1.", "grow"), cli.MISUSED, "grow: It is 0 to 1."),
        (DamagedBundle("It is damaged.", "bundle"), cli.FAILED, "bundle: It is damaged."),
        (KeyboardInterrupt(), cli.INTERRUPTED, "Cancelled."),
        (ModuleNotFoundError("no", name="torch.nn"), cli.FAILED, "pip install 'layoutbrush[training]'"),
        (ModuleNotFoundError("no", name="sklearn"), cli.FAILED, "pip install 'layoutbrush[demo]'"),
        (ModuleNotFoundError("no", name="unheard_of"), cli.FAILED, "pip install 'unheard_of'"),
        (FileNotFoundError(2, "No such file or directory", "far/x.json"), cli.FAILED, "far/x.json: No such file"),
    ],
)
def test_failures_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    text: str,
) -> None:
    registered(monkeypatch, Entry(failing(error)))
    assert cli.main(["test"]) == status
    found = capsys.readouterr().err
    assert text in found
    assert len(found.splitlines()) == 1


def test_a_fault_of_the_system_that_names_no_file_stays_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, Entry(failing(OSError(12, "Cannot allocate memory"))))
    with pytest.raises(OSError, match="allocate"):
        cli.main(["test"])


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    cli.check_output(None, "--json")
    cli.check_output(tmp_path / "new" / "rows.json", "--json")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("kept")
    cli.check_output(tmp_path / "file", "--json")
    for wrong in (tmp_path, tmp_path / "file" / "rows.json"):
        with pytest.raises(InvalidArgument) as refused:
            cli.check_output(wrong, "--json")
        assert refused.value.field == "--json"
        assert str(wrong) in refused.value.message
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "words",
    [
        ("--port", "99999"),
        ("--port", "-1"),
        ("--web-port", "70000", "--web"),
        ("--workers", "0"),
        ("--drain-seconds", "nan"),
    ],
)
def test_numbers_that_no_server_can_have_are_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    if "--web" in words:
        pytest.importorskip("hypercorn", reason="the extra `web` is not installed")
    assert cli.main(["serve", "--bundle", "stand-in", "--drafts", "none", "--port", "0", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"{words[0]}: ")
    assert "listening" not in said.out


def test_list_survives_a_command_without_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(monkeypatch, Entry(None, ModuleNotFoundError("no", name="torch")))
    assert cli.main([]) == 0
    assert "layoutbrush[training]" in " ".join(capsys.readouterr().out.split())


def test_doctor_finds_the_base_and_names_remedies(capsys: pytest.CaptureFixture[str]) -> None:
    findings = examine("no-such-bundle")
    states = {finding.name: finding.state for finding in findings}
    assert states["numpy"] == states["onnxruntime-cpu"] == OK
    assert states["no-such-bundle"] == BROKEN
    assert states["drafts"] in (OK, MISSING)  # photos are edited without it, too
    assert all(finding.detail for finding in findings)
    assert {finding.state for finding in findings} <= {OK, MISSING, BROKEN}
    assert cli.main(["doctor", "--bundle", "no-such-bundle", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)) == len(findings)
    assert cli.main(["doctor", "--bundle", "no-such-bundle"]) == 1
    assert "BROKEN" in capsys.readouterr().out
