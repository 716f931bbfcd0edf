"""The pages for people, and the same facts as JSON."""
