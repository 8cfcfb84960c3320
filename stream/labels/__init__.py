"""One owner per labels partition: labels on their way to the join, dead letters, a ledger."""
