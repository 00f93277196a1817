"""The HTTP API: one file per noun with its endpoints. `endpoint.py` declares them, `dispatch.py` serves each request."""
