"""Stands in for facexlib.utils."""
