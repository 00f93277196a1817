"""Everything that only `laurels demo` needs: the sample community, the playground, their scripts and texts."""
