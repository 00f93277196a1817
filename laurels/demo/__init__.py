"""Everything that only `laurels demo` needs: a sample community, its scripts and texts."""
