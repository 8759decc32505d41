"""Statistics of samples that all that prints or draws shares."""
