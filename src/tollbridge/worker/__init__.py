"""Background work: jobs from the queue and periodic jobs, in any number of processes."""
