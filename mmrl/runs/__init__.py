"""Run folders: the only interface between training and the programs that watch it. Only checkpoint imports torch."""
