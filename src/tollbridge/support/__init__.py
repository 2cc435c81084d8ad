"""What people are told when they ask how things are."""
