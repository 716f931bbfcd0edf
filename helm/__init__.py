"""What of the chart is written by a program: `python -m helm [--check]`."""
