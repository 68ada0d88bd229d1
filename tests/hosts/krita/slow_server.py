"""A server whose renders take half a minute; prints its address, and lives until its standard input ends."""

from __future__ import annotations

import sys

from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

if __name__ == "__main__":
    with ServerThread(scripted_backend(ScriptedEditor(steps=300, step_seconds=0.1))) as server:
        print(server.address, flush=True)
        sys.stdin.read()
