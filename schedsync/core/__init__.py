"""The pure core: values in, values out; no Django, no YAML, no clock, no I/O."""
