"""Who is calling: one file for each kind of session, one chain that asks them in turn."""
