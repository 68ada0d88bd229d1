"""The web side of a server: Connect and gRPC-Web beside native gRPC, and the editor's page.

A gateway dials a server as any client does and passes messages through as they are. `serving.gateway` starts one;
`layoutbrush serve --web` does so beside its own server, `layoutbrush gateway` in front of another one. Needs the extra
`web` (connectrpc, hypercorn); nothing else of the package imports this folder.
"""
