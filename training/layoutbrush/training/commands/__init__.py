"""Commands that the training portion adds to `layoutbrush`."""
