"""What counts as normal: cut from files or from live predictions, registered, looked up.

columns.py      a table's columns as series: numbers, categories, times
roles.py        which column is what: features, score, time
files.py        CSV, gzipped CSV and Parquet into tables
live.py         the newest predictions of a topic into columns
create.py       columns into a baseline
configured.py   where the configuration and a baseline do not go together
grid.py         the bins that labelled scores are counted in
classes.py      the classes of a multiclass model: names, grids, labels
class_metrics.py  how good such a model was, from the counts of its classes
labels.py       a column of labels, and how good the baseline's answers were
performance.py  what a model version's outcomes are counted into
baseline.py     Baseline, as it lies in the topic `baselines`
evidence.py     how much healthy windows differ from each other, as it is stored
learning.py     rows and their times into evidence
rates.py        healthy rates: missing, invalid, never seen before; rows of a window
season.py       what is normal at each hour of the day or of the week
sight.py        what a window would show of each series, and what not, in words
description.py  a baseline in words
provenance.py   checksums, versions, commit, time of creation
registry.py     the topic's entries by id; registering a new one
by_segment.py   the rows of each value of a segment key, as they are stored
segment_evidence.py  how much healthy windows of single segments differ
segment_labels.py  how good a model was in single segments
segment_learning.py  a baseline's rows by the value of each segment key
layout.py       where each bin lies in a register
segmentation.py which segments there are, and which rows lie in them
definition.py   a baseline and the settings that decide what is counted where
"""
