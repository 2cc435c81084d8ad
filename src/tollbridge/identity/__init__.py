"""Who is calling: users and their keys."""
