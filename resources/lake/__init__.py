"""The lake: its contract (`base`) and implementations (`embedded`; lakeFS has its place beside it)."""
