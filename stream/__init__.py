"""Driftline's service: predictions on Kafka in, exact drift alerts out. This is the map.

    predictions ─► ingest ─► count ─► partials ─► evaluate ─► alerts, reports
                     │         └───── durable ─────┘
                     └► dead-letters        baselines ─► both

The path in its order; a folder imports only what stands above it (tests/test_architecture.py):

    detectors/   (beside this folder) the arithmetic: bins, divergences, thresholds, windows
    errors.py    what the service refuses with, and the exit codes behind it
    config/      file, environment and command line become one checked value
    records/     values on topics: what one stage hands to the next
    durable/     the fold: state that is a pure function of a log's prefix, whatever crashes
    baselines/   what counts as normal: made from files, registered, looked up
    ingest/      bytes become columns, or a rejection with its reason
    outcomes/    what count and labels tell the join: covering records, a chain without a hole
    count/       one owner per predictions partition: columns into panes, closed panes out
    labels/      one owner per labels partition: labels on their way to the join
    join/        one owner per outcomes partition: predictions meet their labels, pairs into panes
    alerts/      one episode of one check: its life cycle and its identity
    evaluate/    one owner per model: panes into windows, windows into reports and alerts
    verify/      what an alert says, counted and judged again from the topics that it cites
    service/     the edge: Faust, Kafka, Prometheus, web; topology.py is this path as code
    backtest/    a file through the same count and evaluate, without Kafka
    demo/        flights of 2013 through an embedded broker
    cli/         the command `driftline`, one file per command

To come, and not here yet: the web page.
"""
