"""The fold: state that is a pure function of a log's prefix, durable through a changelog of its own."""
