"""What a plug-in can't do, in words for the painter."""

from __future__ import annotations


class HostProblem(Exception):
    """The message is one sentence, or a few, that can be shown as they are."""
