"""Operators: nets that map a function (a source, an initial condition) to the solution that belongs to it."""
