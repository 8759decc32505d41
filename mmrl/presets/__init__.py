"""Named starting points, one TOML file each."""
