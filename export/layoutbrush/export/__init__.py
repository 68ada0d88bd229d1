"""From weights to a bundle: schemas and function bodies of the ops, the graphs, the bundle writer, the validation."""
