"""The HTTP API: one file per resource, put together in `server.py`; `problems.py` is the one error table."""
