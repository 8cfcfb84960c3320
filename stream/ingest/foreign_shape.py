"""Messages of other producers, read through paths and constants.

`fields: {score: outputs.0.data.0, features.distance: inputs.distance}` and `constants: {model: fraud}`:
a path is keys and list positions with dots between; what it does not find is absent. A field that is
neither in `fields` nor in `constants` keeps its own place; constants win over the message.
Limit: a key that itself holds a dot cannot be reached.
"""

from collections.abc import Mapping
from typing import Final

_PARENTS: Final = ("features.", "segment.")


class ForeignShape:
    """What the settings say about the messages' shape."""

    def __init__(self, fields: Mapping[str, str], constants: Mapping[str, str]) -> None:
        self._paths = [(target, path.split(".")) for target, path in fields.items()]
        # `features` and `segment` as a whole first, so that a single one of theirs can be added to it.
        self._paths.sort(key=lambda target_and_path: target_and_path[0].startswith(_PARENTS))
        self._constants = dict(constants)

    def __bool__(self) -> bool:
        """Whether there is anything to translate."""
        return bool(self._paths or self._constants)

    def prediction(self, message: object) -> object:
        """The message in our own shape; what is no object stays as it is.

        >>> shape = ForeignShape({"score": "outputs.0.data.0"}, {"model": "fraud"})
        >>> shape.prediction({"outputs": [{"data": [0.5]}], "version": "3"})["score"]
        0.5
        """
        if not isinstance(message, dict):
            return message
        prediction: dict[str, object] = dict(message)
        for target, path in self._paths:
            _put(prediction, target, _find(message, path))
        for target, value in self._constants.items():
            _put(prediction, target, value)
        return prediction


def _find(value: object, path: list[str]) -> object:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _put(prediction: dict[str, object], target: str, value: object) -> None:
    if not target.startswith(_PARENTS):
        prediction[target] = value
        return
    parent, _, name = target.partition(".")
    held = prediction.get(parent)
    if value is None and not isinstance(held, dict):
        return  # a path that finds nothing makes no features, and mends none of a wrong type
    # A copy: the message's own object stays as it came. A list of values gives way to what was found in it.
    own = dict(held) if isinstance(held, dict) else {}
    prediction[parent] = own | {name: value}
