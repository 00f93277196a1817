"""`python -m laurels` is the `laurels` command."""

from laurels.cli import main

if __name__ == "__main__":
    main()
