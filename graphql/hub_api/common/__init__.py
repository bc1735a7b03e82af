"""Shared base of the API: request context, problems, paging, command inputs."""
