"""Both ops on CUDA cards: kernels that NVRTC compiles for the card at hand, launched on the caller's stream.

Needs `cuda-bindings` and `nvidia-cuda-nvrtc` (extras `gpu` and `tensorrt`). Nothing here allocates device memory or
waits for the device: the torch ops and the TensorRT plugins hand over pointers and a stream.
"""
