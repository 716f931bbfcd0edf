"""Facts to exposition: catalogue, render, store, exposition."""
