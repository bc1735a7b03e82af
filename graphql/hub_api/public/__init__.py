"""What anybody may ask: publishable keys, their trusted documents, and the public schema."""
