"""A limit order book of many traders, in which the maker stands in the queue: see README.md."""
