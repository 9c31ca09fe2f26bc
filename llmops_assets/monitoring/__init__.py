"""Assets of the group monitoring: what happens in production."""
