"""``python -m clerk_cerbos_lab``: the command line."""

from clerk_cerbos_lab.cli.main import main

main()
