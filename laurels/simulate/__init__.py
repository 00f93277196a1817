"""Simulating: scenario files that are run in tests of a catalog."""
