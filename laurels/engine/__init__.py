"""The pure core: every decision, no I/O. See the README beside this file."""
