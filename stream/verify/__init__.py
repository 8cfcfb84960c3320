"""Verify: what an alert says, counted and judged again from the topics that it cites."""
