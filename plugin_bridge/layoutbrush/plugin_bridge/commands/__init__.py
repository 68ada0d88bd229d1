"""Commands of the bridge: edit, edit-folder, segment. They talk to a server like any host, a private one if need be."""
