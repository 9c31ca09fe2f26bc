"""Training as plain functions: weights in and out of GGUF, rows to tokens, the loops, what becomes of an adapter."""
