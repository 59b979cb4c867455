"""What ``make bench`` and ``make bench-usage`` run."""
