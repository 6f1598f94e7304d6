"""Reading, writing, converting and fitting weights."""
