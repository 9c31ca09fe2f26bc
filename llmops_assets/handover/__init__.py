"""How assets hand over: what one reads of another, what it writes down, and when work is not done again.

reading: typed records of declared upstreams. days: rows of daily assets. publishing: lake commits and results. memory:
unchanged work. claims: checks. display: what the UI shows. serving: the one truth about what serves. lineage: what came
of what. Why it is done so: docs/decisions/handovers.md.
"""
