"""Who is calling: one file for each kind of credential, and one chain that tries them in turn."""
