"""`python -m tramontane` is the `tramontane` command."""

from tramontane.cli.main import main

if __name__ == "__main__":
    main()
