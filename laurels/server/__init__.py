"""Sockets, connection limits, and the application that a server runs."""

from laurels.extras import require

require("server")
