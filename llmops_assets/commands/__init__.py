"""What the `llmops` command does, a module per subject; its words, options and exits are in llmops_assets/cli."""
