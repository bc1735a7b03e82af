"""``python -m serial_hub``: the command line."""

from serial_hub.cli import main

main()
