"""Pure rules of loyalty: no I/O, no clock of its own, whole numbers only."""
