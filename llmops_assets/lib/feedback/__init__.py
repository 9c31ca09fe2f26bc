"""What customers' feedback may teach: the quarantine it passes, and the files in which people decide on it."""
