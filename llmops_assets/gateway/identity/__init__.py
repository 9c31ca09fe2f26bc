"""Who may do what at the gateway: roles, API keys, and callers made of them."""
