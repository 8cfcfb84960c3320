"""Evaluate: the owner of a model merges closed panes of all sources, slides the window, judges it."""
