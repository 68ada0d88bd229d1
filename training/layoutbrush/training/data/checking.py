"""Looks at every photo of a data set and says what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from layoutbrush.training.data.decoders import Decoder
from layoutbrush.training.data.labels import LABEL_NAMES, UNKNOWN, UInt8
from layoutbrush.training.data.lazy import LOOSE_PIXELS, Entry, read_image
from layoutbrush.training.data.photo import DataError
from layoutbrush.training.data.spec import Source

ERROR, WARNING = "error", "warning"

Hash = npt.NDArray[np.uint64]
ALIKE_BITS = 8
"""Two pictures look the same whose hashes of 256 bits differ in at most so many."""
COMPARED = 30_000
"""Above so many photos only files that are equal byte by byte are found: the comparison is of all with all."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``severity``: an error harms training, a warning may."""

    severity: str
    file: str
    problem: str


@dataclass(frozen=True)
class Look:
    """What was seen of one photo. ``counts`` (256,) pixels by label; ``size`` width, height."""

    entry: Entry
    findings: tuple[Finding, ...] = ()
    size: tuple[int, int] | None = None
    counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None = None
    content: str = ""
    likeness: Hash | None = None


@dataclass
class SplitReport:
    """One split of one collection.

    ``share``: of the known pixels, by label; ``unknown``: of all pixels of label maps; ``photos_with``: a pixel of each
    label.
    """

    name: str
    kind: str
    path: str
    split: str
    photos: int = 0
    examined: int = 0
    labelled: int = 0
    smallest: tuple[int, int] | None = None
    largest: tuple[int, int] | None = None
    share: dict[str, float] = field(default_factory=dict)
    photos_with: dict[str, int] = field(default_factory=dict)
    unknown: float | None = None
    findings: list[Finding] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict, repr=False)
    """Files by the digest of their bytes; not part of the written report."""

    @property
    def errors(self) -> int:
        return sum(finding.severity == ERROR for finding in self.findings)


def look_at(entry: Entry, decoder: Decoder) -> Look:
    """Reads a photo and its label map whole; whatever is wrong becomes a finding."""
    findings: list[Finding] = []
    image: UInt8 | None = None
    content, likeness, size, counts = "", None, None, None
    try:
        content = hashlib.sha256(entry.image.read_bytes()).hexdigest()
        image = read_image(entry.image)
        size = (image.shape[1], image.shape[0])
        likeness = gradient_hash(image)
    except (OSError, DataError) as error:
        findings.append(_unreadable(entry.image, error))
    if entry.labels is not None:
        try:
            labels = decoder.labels(entry.labels)
            counts = np.bincount(labels.ravel(), minlength=256)
            strangers = decoder.strangers(entry.labels)
            findings += _label_findings(entry.labels, labels, image, strangers)
        except DataError as error:
            findings.append(_unreadable(entry.labels, error))
    return Look(entry, tuple(findings), size, counts, content, likeness)


def _unreadable(path: Path, error: Exception) -> Finding:
    text = str(error).removeprefix(f"{path}: ") if isinstance(error, DataError) else "not a readable file"
    return Finding(ERROR, str(path), text)


def _label_findings(path: Path, labels: UInt8, image: UInt8 | None, strangers: dict[str, int]) -> Iterable[Finding]:
    if strangers:
        listed = ", ".join(f"{name} ({count} pixels)" for name, count in sorted(strangers.items())[:6])
        more = f" and {len(strangers) - 6} more" if len(strangers) > 6 else ""
        yield Finding(ERROR, str(path), f"not in the data set's list: {listed}{more}")
    if image is not None and labels.shape != image.shape[:2]:
        apart = max(abs(a - b) for a, b in zip(labels.shape, image.shape[:2], strict=True))
        sizes = f"{labels.shape[1]}x{labels.shape[0]}, its photo {image.shape[1]}x{image.shape[0]}"
        yield Finding(ERROR if apart > LOOSE_PIXELS else WARNING, str(path), f"is of {sizes}")
    if (labels == UNKNOWN).all():
        yield Finding(WARNING, str(path), "no pixel has a known label")


def gradient_hash(image: UInt8) -> Hash:
    """(4,) uint64, where brightness rises to the right on 16 x 16 places; nearly equal for pictures alike."""
    small = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)


def check_split(
    source: Source,
    split: str,
    count: int = 0,
    threads: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SplitReport:
    """Looks at ``count`` photos spread evenly over a split (0: all). Never raises DataError: it becomes a finding."""
    report = SplitReport(source.name or source.kind, source.kind, str(source.path), split)
    try:
        listing = source.listing(split)
    except DataError as error:
        report.findings.append(Finding(ERROR, str(source.path), str(error)))
        return report
    # A plain folder may hold photos without label maps; a published set promises one for each.
    severity = WARNING if source.kind == "folder" else ERROR
    report.findings += [Finding(severity, str(path), "is missing: its photo has no labels") for path in listing.missing]
    report.findings += [Finding(ERROR, str(path), "has no photo") for path in listing.orphans]
    entries = listing.entries
    report.photos = len(entries)
    if not entries:
        report.findings.append(Finding(ERROR, str(source.path), f"holds no photos for {split}"))
    if 0 < count < len(entries):
        entries = tuple(entries[i * len(entries) // count] for i in range(count))
    looks: list[Look] = []
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for look in pool.map(lambda entry: look_at(entry, listing.decoder), entries):
            looks.append(look)
            progress(len(looks), len(entries))
    _summarise(report, looks)
    return report


def _summarise(report: SplitReport, looks: Sequence[Look]) -> None:
    report.examined = len(looks)
    counts = [look.counts for look in looks if look.counts is not None]
    report.labelled = len(counts)
    sizes = sorted((look.size for look in looks if look.size), key=lambda size: size[0] * size[1])
    report.smallest, report.largest = (sizes[0], sizes[-1]) if sizes else (None, None)
    if counts:
        total = np.sum(counts, 0)
        known = max(1, int(total[:UNKNOWN].sum()))
        report.share = {name: float(total[i] / known) for i, name in enumerate(LABEL_NAMES)}
        report.photos_with = {name: sum(int(c[i] > 0) for c in counts) for i, name in enumerate(LABEL_NAMES)}
        report.unknown = float(total[UNKNOWN] / total.sum())
    for look in looks:
        report.findings += look.findings
    _find_duplicates(report, looks)


def _find_duplicates(report: SplitReport, looks: Sequence[Look]) -> None:
    others: list[tuple[str, Hash]] = []
    for look in looks:
        file = str(look.entry.image)
        if look.content in report.contents:
            report.findings.append(Finding(WARNING, file, f"is the same file as {report.contents[look.content]}"))
            continue
        if look.content:
            report.contents[look.content] = file
        # A picture without detail is like any other such picture.
        if look.likeness is not None and np.bitwise_count(look.likeness).sum() > 4 * ALIKE_BITS:
            others.append((file, look.likeness))
    if len(others) > COMPARED:
        return
    hashes = np.array([likeness for _, likeness in others], np.uint64).reshape(-1, 4)
    for i in range(1, len(others)):
        apart = np.bitwise_count(hashes[:i] ^ hashes[i]).sum(1)
        nearest = int(apart.argmin())
        if apart[nearest] <= ALIKE_BITS:
            report.findings.append(Finding(WARNING, others[i][0], f"looks the same as {others[nearest][0]}"))


def find_leaks(reports: Sequence[SplitReport]) -> None:
    """Photos that are in `train` and in `val`, of any collection, become errors of the later report."""
    for i, report in enumerate(reports):
        for other in reports[:i]:
            if other.split == report.split:
                continue
            for content in sorted(set(report.contents) & set(other.contents)):
                problem = f"is in {other.split} too: {other.contents[content]}"
                report.findings.append(Finding(ERROR, report.contents[content], problem))
