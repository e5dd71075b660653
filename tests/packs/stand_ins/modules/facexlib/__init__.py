"""Stands in for facexlib."""
