"""`python -m syncd` is the same as `syncd`."""

from syncd.cli import main

main()
