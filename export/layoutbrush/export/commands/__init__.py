"""Commands of this portion."""
