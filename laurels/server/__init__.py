"""Sockets, connection limits, and the application that a server runs."""
