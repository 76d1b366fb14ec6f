"""Tables of others as they show themselves: CSV, Parquet and Excel become text, row by row."""
