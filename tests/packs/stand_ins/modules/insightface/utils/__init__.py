"""Stands in for insightface.utils."""
