"""The pure core: every decision, no I/O. See README.md in this folder."""
