"""Files of requests that are answered when there is time: OpenAI's files and batches.

`store.py` keeps them beside the interaction log, `lines.py` reads a file and takes personal data out of it,
`runner.py` answers its lines through the chain, `endpoints.py` is what clients see. Why so:
docs/decisions/batches.md.
"""
