"""Which rows are looked at for the names of their features, in plain integers, one by one."""

WORD = (1 << 64) - 1


def looked_at(offset: int, element: int | None, partition: int = 0, *, block_bits: int = 6) -> bool:
    """The same as `feature_looks.drawn` says of one row; element: None of a message that is no array."""
    key = offset + (0 if element is None else element + 1) * 0xD1B54A32D192ED03 & WORD
    mixed = (key >> block_bits) * 0x9E3779B97F4A7C15 + (partition + 1) * 0xAEF17502108EF2D9 & WORD
    mixed = (mixed ^ mixed >> 32) * 0xBF58476D1CE4E5B9 & WORD
    return mixed >> 64 - block_bits == key % (1 << block_bits)
