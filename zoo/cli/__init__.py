"""The `zoo` command: one file a verb, and only the verb asked for is imported."""
