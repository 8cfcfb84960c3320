"""The demo: a year of real flights through the whole service, on one machine, with one announced fault.

The path: `flights` (data) -> `delay_model` (scores) -> `fault` (kilometres from October) -> `messages` (JSON)
-> `replay` (Kafka) -> the service -> `results` (what was read back) -> `picture` and `summary`.
`run` ties them together; `control` says what a healthy day looks like.
"""
