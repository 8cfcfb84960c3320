"""What both sources tell the join: covering records, an unbroken chain from each source to each outcomes partition."""
