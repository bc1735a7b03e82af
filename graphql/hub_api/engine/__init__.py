"""GraphQL execution: documents, limits, compiled plans."""
