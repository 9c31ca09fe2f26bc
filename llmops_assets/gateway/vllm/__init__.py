"""vLLM as the engine of releases: one process per base model, every release's adapter beside the others in it.

`settings` is what an installation says, `folders` what a release becomes for vLLM, `server` the process, `engine` the
`Engine` of a release. Why so: docs/decisions/vllm.md.
"""
