"""Reads Git repositories: commits, trees and blobs, and where a directory of files comes from.

The room may import files, for how a tree is walked as a directory is, and what lies below them. Begin with
``repository``; ``tree`` reads a set from a commit, ``origin`` says where files come from.
"""
