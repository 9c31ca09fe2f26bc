"""What the `llmops` command does, a module per subject; cli.py is its entry and holds no logic of its own."""
