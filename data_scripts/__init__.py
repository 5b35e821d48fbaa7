"""Scripts that fetch, verify and convert data sets; one a set, each a command of its own."""
