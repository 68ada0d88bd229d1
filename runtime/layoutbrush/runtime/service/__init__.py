"""The service: `core` without a transport, `servicer` for gRPC, and what lies between messages and the pipeline."""
