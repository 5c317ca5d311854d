"""Everything as programs read it: JSON, SARIF, JUnit, and the formats of GitHub and GitLab.

It may import ``words`` and the modules below it. The schemas of the JSON documents are in ``schemas/``, and may only
gain optional keys. Begin with ``json_``.
"""
