"""A plugin in twenty lines: python small_plugin.py photo.png before.png after.png result.png [HOST:PORT]"""

import os
import sys
from pathlib import Path

from layoutbrush.plugin_bridge import Client, Picture, Preview, Progress, RemoteError, Result

photo, before, after = (Picture.file(Path(name).read_bytes()) for name in sys.argv[1:4])
try:
    with Client((sys.argv[5:] or ["127.0.0.1:50051"])[0]) as client:
        print(client.check())
        if objection := client.objection(*photo.size):
            sys.exit(objection)
        with client.open(photo, before) as document:
            edit = document.edit(after, previews=("warped",), png=True, channels="RGBA")
            for event in edit:
                if os.environ.get("LAYOUTBRUSH_SCRIPT") == "cancel":  # what a Cancel button would do
                    edit.cancel()
                if isinstance(event, Progress):
                    print(f"{event.stage} {event.done:.0%}")
                if isinstance(event, Preview):
                    print("preview at", event.picture.x, event.picture.y)
                if isinstance(event, Result):
                    Path(sys.argv[4]).write_bytes(event.picture.data)
                    print("paste at", event.picture.x, event.picture.y)
except RemoteError as error:
    sys.exit(f"Layoutbrush: {error}")
