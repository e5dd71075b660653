"""Stands in for insightface."""
