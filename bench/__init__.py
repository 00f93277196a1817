"""Measures Laurels against floors: the same bytes, or the same SQL, with nothing around it. Run `python -m bench`."""
