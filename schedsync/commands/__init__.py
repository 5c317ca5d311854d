"""One verb a file: parse, call one use case, render."""
