"""A file through the same panes, windows and evaluators as the service, without Kafka.

inputs.py            a baseline's file and the file to judge, as columns that go together
labels.py            the labels of the judged rows, and when each came
rule_sets.py         how windows are cut and judged, by a configuration and the command line
course.py            rows into panes, panes into windows, windows into evaluations and alerts: the service's own
performance.py       labels into windows, windows into evaluations
windows.py           how the file is cut, and its windows in order
alerts.py            what each check says of a window
episodes.py          the messages of alerts into would-be alerts
incidents.py         what people marked
score.py             would-be alerts against what people marked
result.py            what `--json` prints: one object
text.py              what is printed without it: one line a window
remarks.py           what the numbers do not say themselves
page.py              what `--html` writes: pictures over the windows
performance_page.py  its part about labels
quality_page.py      its part about data quality and throughput
segment_page.py      its part about segments
comparison_page.py   its part about episodes and incidents
picture.py           one picture
"""
