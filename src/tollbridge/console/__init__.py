"""Pages of users and of visitors; one page a file."""
