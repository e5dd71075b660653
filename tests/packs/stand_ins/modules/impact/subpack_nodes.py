"""Stands in for a part of the Impact Pack that is a repository of its own and holds detectors only."""

NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = {}, {}
