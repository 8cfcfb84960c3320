"""A file through the same panes, windows and evaluator as the service, without Kafka.

inputs.py   a baseline's file and the file to judge, as columns that go together
windows.py  rows into panes, panes into windows, windows into evaluations
result.py   what `--json` prints: one object
page.py     what `--html` writes: PSI over the windows, one picture per series
"""
