"""Speed of the exporter, as ratios to named peers measured in the same run."""
