"""What the service refuses with. The tree of all errors is drawn in `detectors/errors.py`.

    CallerError              the caller's mistake: one sentence with the fix, exit code 2
      ConfigError              one key of the configuration: what it is, what it may be
      InputError               a file or an argument that cannot be used
      BrokerUnavailable        no Kafka answers where the configuration says
      TopicMissing             a topic that the service needs is not there
      PartitionCountChanged    an internal topic has another number of partitions than its state
      TopicRecreated           an input topic does not hold what was read from it before

A CallerError is shown as `driftline: <message>` without a traceback; anything else that
escapes a command is a bug (exit code 70, with its traceback).
"""

from typing import Final

from detectors.errors import DriftlineError

ABSENT: Final = object()
"""Stands for the value of a key that has none, or that must not be shown."""

LONGEST_VALUE_SHOWN: Final = 80  # characters; a whole section would bury the sentence


class CallerError(DriftlineError):
    """The caller can mend it: usage, configuration, input, broker. The message says how."""


class InputError(CallerError):
    """A file or an argument cannot be used; the message says which, why, and what would do."""


class ConfigError(CallerError):
    """Start is refused because of one key.

    >>> print(ConfigError("windows.pane", "45s", "must divide windows.length (5m)", fix="30s or 1m"))
    windows.pane = '45s': must divide windows.length (5m); try 30s or 1m
    >>> print(ConfigError("kafka.server", ABSENT, "there is no such key", fix="bootstrap_servers"))
    kafka.server: there is no such key; try bootstrap_servers
    """

    def __init__(self, key: str, value: object, rule: str, *, fix: str, origin: str = "") -> None:
        shown = "" if value is ABSENT else f" = {_shortened(repr(value))}"
        prefix = f"{origin}: " if origin else ""
        super().__init__(f"{prefix}{key}{shown}: {rule}; try {fix}")
        self.key = key
        self.value = value
        self.rule = rule
        self.fix = fix
        self.others: tuple[ConfigError, ...] = ()  # further keys that were refused at the same time

    def located(self, origin: str) -> "ConfigError":
        """The same refusal that also says where the value was read: a file, or an environment variable."""
        return ConfigError(self.key, self.value, self.rule, fix=self.fix, origin=origin)


class BrokerUnavailable(CallerError):
    """No Kafka answers.

    >>> print(BrokerUnavailable("localhost:9092", "connection refused"))
    no Kafka broker answers at localhost:9092 (connection refused); start one, or set kafka.bootstrap_servers
    """

    def __init__(
        self, bootstrap_servers: str, why: str, fix: str = "start one, or set kafka.bootstrap_servers"
    ) -> None:
        super().__init__(f"no Kafka broker answers at {bootstrap_servers} ({why}); {fix}")


class TopicMissing(CallerError):
    """Topics that the service needs are not there.

    >>> print(TopicMissing("predictions", "alerts"))
    topics predictions, alerts do not exist; make them with `driftline topics create -c FILE`
    """

    def __init__(self, *topics: str) -> None:
        noun = "topic" if len(topics) == 1 else "topics"
        verb = "does" if len(topics) == 1 else "do"
        super().__init__(
            f"{noun} {', '.join(topics)} {verb} not exist; make {'it' if len(topics) == 1 else 'them'} "
            "with `driftline topics create -c FILE`"
        )
        self.topics = topics


class PartitionCountChanged(CallerError):
    """The state was kept for another number of partitions, so it belongs to nobody now.

    >>> print(PartitionCountChanged("driftline.partials", recorded=4, found=6))
    topic driftline.partials has 6 partitions, its state was kept for 4; restore the topic, or choose a new `app` name
    """

    def __init__(self, topic: str, *, recorded: int, found: int) -> None:
        super().__init__(
            f"topic {topic} has {found} partitions, its state was kept for {recorded}; "
            "restore the topic, or choose a new `app` name"
        )
        self.topic = topic


class TopicRecreated(CallerError):
    """What lies before our progress is not what we read: the topic was recreated or truncated.

    >>> print(TopicRecreated("predictions", 0, next_offset=812, found="the log ends at 3"))
    predictions/0 is not the log that was counted up to offset 812 (the log ends at 3): it was recreated or \
truncated; restore it, or count it from its start as a new log with \
`driftline topics accept-recreated predictions -c FILE`
    """

    def __init__(self, topic: str, partition: int, *, next_offset: int, found: str) -> None:
        super().__init__(
            f"{topic}/{partition} is not the log that was counted up to offset {next_offset} ({found}): it was "
            "recreated or truncated; restore it, or count it from its start as a new log with "
            f"`driftline topics accept-recreated {topic} -c FILE`"
        )
        self.topic = topic
        self.partition = partition


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE_SHOWN else text[: LONGEST_VALUE_SHOWN - 1] + "…"
