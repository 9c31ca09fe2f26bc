"""What may be stored and used: redacted rows, expectations, purposes, placeholders, volumes."""
