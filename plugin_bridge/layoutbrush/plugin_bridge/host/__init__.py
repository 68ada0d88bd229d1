"""What plug-ins of image editors share, free of any editor's API.

`palette` and `label_layer` turn label ids into colours and painted colours back into ids; `snapshot` holds what one
render needs; `session` talks to the server in threads of its own and answers with messages that a host polls from its
user interface's thread; `controller` is a panel without its widgets. Imports the client and the standard library only,
and keeps to Python 3.10, so that it runs in an editor's own Python.
"""

from layoutbrush.plugin_bridge.host.palette import Label, Palette
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.session import Session
from layoutbrush.plugin_bridge.host.snapshot import MaskUse, Server, Snapshot, Wishes

__all__ = ["HostProblem", "Label", "MaskUse", "Palette", "Server", "Session", "Snapshot", "Wishes"]
