"""Training: data, networks, losses, stages, metrics and evaluation of Layoutbrush."""
