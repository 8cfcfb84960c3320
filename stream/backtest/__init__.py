"""A file through the same panes, windows and evaluators as the service, without Kafka.

inputs.py            a baseline's file and the file to judge, as columns that go together
labels.py            the labels of the judged rows, and when each came
windows.py           rows into panes, panes into windows, windows into evaluations
performance.py       labels into windows, windows into evaluations
result.py            what `--json` prints: one object
text.py              what is printed without it: one line a window
remarks.py           what the numbers of labels do not say themselves
page.py              what `--html` writes: pictures over the windows
performance_page.py  its part about labels
picture.py           one picture
"""
