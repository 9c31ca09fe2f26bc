"""Assets of the group deployment: the release and its rollout."""
