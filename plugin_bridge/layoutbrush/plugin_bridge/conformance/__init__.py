"""What a server, or a plugin, is held against: `layoutbrush conformance`.

The checks of a server speak to it over gRPC, Connect or gRPC-Web, with the contract alone. A plugin is pointed at a
server that answers by script, and judged by what it sent.
"""
