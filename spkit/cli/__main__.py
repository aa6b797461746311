"""`python -m spkit.cli`."""

from spkit.cli import main

main()
