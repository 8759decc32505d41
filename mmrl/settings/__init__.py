"""Settings: what one is, all of them in groups, where their values come from, old names."""
