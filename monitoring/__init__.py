"""What monitors what the exporter exports: dashboards and alerts, generated from Python into committed files."""
