"""Pages of operators; one page a file."""
