"""TensorRT: the two custom ops as plugins, engines built per GPU from a bundle's graphs, and the engine that runs them.

Engines are code: they are built on the machine that runs them or for it, kept in a folder that only their owner can
write to, and never taken from a bundle, a client or anywhere else.
"""
