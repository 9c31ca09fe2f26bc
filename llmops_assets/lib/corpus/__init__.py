"""From conversations and articles to rows that teach: filtered, deduplicated, corrected, varied, split."""
