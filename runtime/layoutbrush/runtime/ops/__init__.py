"""KeyIndexSampling and SparseAttentionWarp: contracts (TOML), NumPy reference, native kernels."""
