"""One owner per outcomes partition: predictions that wait meet their labels, and the pairs are counted into panes."""
