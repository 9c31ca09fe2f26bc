"""Who generates answers beside the embedded engine: servers that speak OpenAI's protocol, several at a time.

`settings` is how they are configured, `premises` which addresses may be reached, `remote` one of them as an `Engine`,
`tokens` counts where it cannot be asked, `breaker` and `health` how each does, `pool` all of them as one `Engine`,
`engines` makes the one of a release (docs/decisions/upstreams.md).
"""
