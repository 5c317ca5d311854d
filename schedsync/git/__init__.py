"""Reads Git repositories: commits, trees and blobs, and which commit a directory of files is at.

The room may import files, because a commit is searched by the same rules as a directory, and the rooms below files.
Begin with ``repository``; ``range`` finds the two commits of a review, ``tree`` reads a set from a commit, ``sparse``
what the work tree leaves out, ``origin`` says where files come from, and ``work_tree`` which files differ from their
commit.
"""
