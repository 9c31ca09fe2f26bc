"""How a candidate is put together, graded and probed."""
