"""Measures Laurels against floors: the same bytes, or the same SQL, without anything else. Run `python -m bench`."""
