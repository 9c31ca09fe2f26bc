"""Findings: what changed, as causes with an id that lives from the first alarm to the cure.

topics.py finds what is asked about anew, members.py holds whose questions they are, actions.py says what helps,
life.py carries findings from day to day, pages.py shows them, files.py is what editors write. What follows from them
is decided in ../decision.py. Why so: docs/decisions/findings.md.
"""
