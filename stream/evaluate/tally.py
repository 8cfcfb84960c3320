"""What a model's checks have come to so far: a count that a replay of the log does not inflate."""

import msgspec

from stream.evaluate.alert_message import AlertWindow


class Tally(msgspec.Struct, array_like=True, frozen=True):
    """Over all windows evaluated, revisions left out."""

    windows: int = 0
    breaches: int = 0  # verdicts that make an alert, or keep one going
    spent: float = 0.0  # of the false-alarm budget, in alarms: the sum of the levels of all tests made

    def after(self, window: AlertWindow) -> "Tally":
        """With one more window."""
        breaches = sum(check.verdict.is_breach for check in window.checks)
        return Tally(self.windows + 1, self.breaches + breaches, self.spent + window.spent)
