"""Markets fitted to data: estimates, their errors, and how well they fit."""
