"""Assets of the group planning: what the assistant is for, and how it is hosted."""
