"""What everything may use; imports nothing else of ours."""
