"""The runtime of Layoutbrush: bundles, engines, pipeline, documents and the gRPC service. Never imports
torch.
"""
