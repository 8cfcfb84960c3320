"""Alerts: which limit counts for what, the life cycle of an episode, and the message that people get."""
