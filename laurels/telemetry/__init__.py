"""Counters and timers that any layer may use. No exporter, no I/O."""
