"""Assets of the group evaluation: how good, how safe, why, and may it go out."""
