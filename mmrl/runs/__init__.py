"""Run folders: the only interface between training and whoever watches it. Torch-free but for checkpoint."""
