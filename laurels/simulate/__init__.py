"""Simulating: scenario files that are run in tests of a catalog, and the history of a database under another catalog."""
