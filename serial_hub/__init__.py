"""Serial Hub put together: the command line, the composition of the application, the demo."""
