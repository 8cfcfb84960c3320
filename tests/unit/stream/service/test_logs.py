"""The worker's log: a library that repeats itself is heard once in a while."""

import logging

from stream.service.logs import LINES_REMEMBERED, OncePerWhile


class Clock:
    """Seconds, as told."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def line(text: str, *, logger: str = "aiokafka.client") -> logging.LogRecord:
    """A record of a logger."""
    return logging.makeLogRecord({"name": logger, "levelno": logging.ERROR, "msg": "%s", "args": (text,)})


def test_the_same_line_of_a_library_passes_once_in_a_while_and_says_how_often_it_was_repeated() -> None:
    clock = Clock()
    once = OncePerWhile(10.0, clock)

    passed = []
    for clock.now_s in (0.0, 0.1, 9.9, 10.0, 19.9, 20.0):
        record = line("the broker is gone")
        passed.append((once.filter(record), getattr(record, "repeated", None)))

    assert passed == [(True, None), (False, None), (False, None), (True, 2), (False, None), (True, 1)]


def test_another_line_passes_and_so_does_every_line_of_ours() -> None:
    once = OncePerWhile(10.0, Clock())
    texts = ["gone", "back", "gone"]
    assert [once.filter(line(t)) for t in texts] == [True, True, False]
    assert all(once.filter(line("partition idle", logger="driftline.worker")) for _ in range(3))


def test_what_it_remembers_is_bounded() -> None:
    once = OncePerWhile(10.0, Clock())
    for number in range(3 * LINES_REMEMBERED):
        assert once.filter(line(f"connection {number} lost"))
    assert len(once._said) <= LINES_REMEMBERED
