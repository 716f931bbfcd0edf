"""Settings: one frozen tree from file, environment and flags."""
