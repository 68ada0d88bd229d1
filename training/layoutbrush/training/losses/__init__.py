"""Losses, one small module each; equation numbers are those of US 11,636,570 B2.

Each is a plain function of tensors that returns a scalar float32 tensor >= 0 (adversarial terms may be negative), so
that a stage switches it with a weight of 0 by not calling it. Features come from any network that maps pictures (B, 3,
H, W) in [0, 1] to a sequence of feature maps; mask weights are (B, 1, H, W) in [0, 1].
"""
