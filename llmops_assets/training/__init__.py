"""Assets of the group training: base model, adapters and their kin."""
