"""Administration: API keys, job runs, proofs."""
