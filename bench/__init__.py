"""What is measured, each against a named baseline in the same run. Figures, never verdicts: `make bench`."""
