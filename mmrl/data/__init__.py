"""Real order-book data of many formats, as one table of events."""
