"""The console: the pages where operations people see whether everything is in step, and act."""
