"""The ledger of an outcomes partition: what became of every prediction and of every label in it."""

import msgspec


class Ledger(msgspec.Struct, kw_only=True):
    """Two identities that hold after every record; `joined` and the two `waiting` go down again.

    predictions = joined + waiting + expired + duplicates + refused
    labels = joined + inline + waiting_labels + duplicate_labels + revised + retracted + orphans + refused_labels
    """

    predictions: int = 0
    labels: int = 0
    joined: int = 0  # predictions with a label in force
    waiting: int = 0
    expired: int = 0  # no label within the time to live
    duplicates: int = 0  # copies of a prediction
    refused: int = 0  # by the cap `max_waiting`, or since their definition found no room
    inline: int = 0  # labels in force that brought their score, and whose prediction never came
    waiting_labels: int = 0
    duplicate_labels: int = 0  # said before, older than the one in force, or too late to revise it
    revised: int = 0  # labels that a newer one has replaced
    retracted: int = 0  # labels that took another back
    orphans: int = 0  # their prediction is not there
    refused_labels: int = 0  # by the cap on labels that came first, or as `refused` if they bring their score
    gaps: int = 0  # records whose predecessor is missing: to come again, or the predecessor is `lost`
    repeats: int = 0  # rows that had been seen before: of a crash, or of a zombie
    stale: int = 0  # records of an earlier incarnation of their source
    below: int = 0  # rows under a watermark that their source had declared: must be 0
    late: int = 0  # rows that came below their source's watermark, and were taken all the same
    missed: int = 0  # changes of panes that are no longer kept
    unreadable: int = 0  # records that are no outcomes
    lost: int = 0  # records that were cut away before they were read, and offsets of sources that never came

    def balances(self) -> tuple[int, int]:
        """(0, 0), or predictions or labels have vanished."""
        return (
            self.predictions - self.joined - self.waiting - self.expired - self.duplicates - self.refused,
            self.labels
            - (self.joined + self.inline + self.waiting_labels)
            - (self.duplicate_labels + self.revised + self.retracted + self.orphans + self.refused_labels),
        )

    def plus(self, other: "Ledger") -> "Ledger":
        """The ledger of two partitions together."""
        return Ledger(**{name: getattr(self, name) + getattr(other, name) for name in Ledger.__struct_fields__})
