"""What the assistant knows and how it finds it: embeddings, the index, prompts, what an answer rests on."""
