"""``python -m hotdesk`` is the command line too; workers are started with it."""

from hotdesk.cli.main import main

main()
