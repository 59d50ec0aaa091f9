"""The product measured against its own floor: `make bench`, or `python -m bench --quick`."""
