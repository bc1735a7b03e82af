"""What a channel may sell and what it is to show of it: policies, counting, and why."""
