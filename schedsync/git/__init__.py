"""Reads Git repositories: commits, trees and blobs, and which commit a directory of files is at.

The room may import files, because a commit is searched by the same rules as a directory, and the rooms below files.
Begin with ``repository``; ``tree`` reads a set from a commit, ``origin`` says where files come from, and ``work_tree``
which files differ from their commit.
"""
