"""The demo: a year of real flights through the whole service, on one machine, with two announced faults.

The path: `flights` (data) -> `delay_model` (scores) -> `fault` (kilometres from October, a stuck delay
from November) -> `messages` (JSON: predictions at departure, labels at landing) -> `replay` (Kafka) ->
the service -> `results` and `performance` (what was read back) -> `picture`, `summary` and `labels_summary`.
`run` ties them together; `control` says what a healthy day looks like; `replayed` is what was published.
"""
