"""The GraphQL API, the webhooks and the console: everything that speaks HTTP inwards."""
