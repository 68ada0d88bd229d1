"""Losses, one small module each (equations of US 11,636,570 B2)."""
