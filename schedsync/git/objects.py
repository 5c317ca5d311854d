"""The objects of a repository by their ids, read from processes of Git that stay open for further ids.

GitPython has such processes too, but it reads only ids of SHA-1.
"""

from __future__ import annotations

from contextlib import suppress
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import git


class MissingObject(Exception):
    """An object is not in this clone, or it is damaged."""


class Objects:
    """Reads the sizes and the bytes of objects; it fetches none."""

    def __init__(self, command: git.Git) -> None:
        self._command = command
        self._processes: dict[str, Any] = {}

    def size(self, object_id: str) -> int:
        """Return the size of an object in bytes; raises MissingObject."""
        return self._header(self._asked("batch-check", object_id))

    def read(self, object_id: str) -> bytes:
        """Return the bytes of an object; raises MissingObject."""
        stream = self._asked("batch", object_id)
        size = self._header(stream)
        data: bytes = stream.read(size + 1)[:size]
        if len(data) < size:
            raise MissingObject
        return data

    def close(self) -> None:
        """End the processes; a further object starts them again."""
        for kind in list(self._processes):
            self._end(kind)

    def _end(self, kind: str) -> None:
        popen = self._processes.pop(kind).proc
        popen.kill()
        popen.wait()
        for stream in (popen.stdin, popen.stdout, popen.stderr):
            # What was written to a process that has ended cannot be delivered any more.
            with suppress(OSError):
                stream.close()

    def _asked(self, kind: str, object_id: str) -> Any:
        """Return the stream with Git's answer about an object."""
        if kind in self._processes and self._processes[kind].proc.poll() is not None:
            # It ended by an object that it may not fetch, or was killed: that must not hide the others.
            self._end(kind)
        if kind not in self._processes:
            words = ["git", "cat-file", f"--{kind}"]
            self._processes[kind] = self._command.execute(words, as_process=True, istream=PIPE)
        popen = self._processes[kind].proc
        try:
            popen.stdin.write(f"{object_id}\n".encode())
            popen.stdin.flush()
        except OSError as error:
            raise MissingObject from error
        return popen.stdout

    @staticmethod
    def _header(stream: Any) -> int:
        # In a partial clone, Git ends without an answer because it may not fetch the object.
        words = stream.readline().split()
        if len(words) != 3 or not words[2].isdigit():
            raise MissingObject
        return int(words[2])
