"""The market of Avellaneda & Stoikov (Quantitative Finance 8(3), 2008)."""
