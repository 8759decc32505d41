"""Run folders: the only interface between a training process and anyone who watches it. Torch-free but for checkpoint."""
