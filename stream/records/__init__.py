"""Values on topics: what one stage hands to the next. They import nothing of the later stages."""
