"""Requests over HTTP to services and to published documents, bounded in time and size.

It may import `core` and `errors`, and Django only for its settings. Begin with `client.py`, which talks to an API;
`documents.py` gets and puts one document, and `buckets.py` an object in a bucket.
"""
