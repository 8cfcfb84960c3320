"""`detectors` offers what it lists, and nothing else."""

import inspect

import detectors


def test_the_front_door_lists_exactly_what_can_be_imported() -> None:
    public = {n for n, v in vars(detectors).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert sorted(public) == detectors.__all__


def test_everything_behind_the_front_door_says_what_it_is() -> None:
    assert [name for name in detectors.__all__ if not getattr(detectors, name).__doc__] == []
