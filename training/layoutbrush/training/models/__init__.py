"""Networks: sparse attention warp, refinement, discriminator, visual-semantic encoder, segmentation."""
