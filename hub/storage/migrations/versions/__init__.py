"""One module a revision; the newest release works on a database of any older one."""
