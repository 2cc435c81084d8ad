"""The benchmark: what a governed call costs in CPU time, next to nginx in the same run."""
