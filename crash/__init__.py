"""What the product promises when processes die: `make crash`, or `python -m crash --quick`."""
