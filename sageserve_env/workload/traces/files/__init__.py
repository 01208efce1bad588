"""Files as blocks of columns: text and JSON by the standard library, Parquet by pyarrow, from any position."""
