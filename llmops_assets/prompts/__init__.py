"""Assets of the group prompts: the instructions every answer starts from."""
