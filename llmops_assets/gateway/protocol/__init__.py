"""The wire: what the gateway accepts and answers, in OpenAI's shapes, one module per endpoint.

A module maps its request to an `Ask` for the chain and the exchange back to its shapes; what is done for a request is
the chain's (llmops_assets/gateway/chain.py). The protocol: https://platform.openai.com/docs/api-reference.
"""
