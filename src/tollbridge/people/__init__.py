"""Use cases of people: signing up and in, keys, codes, credit; one transaction each."""
