"""A progress bar on stderr, in the look of tqdm.

    Calculating embeddings: 100%|██████████| 1682/1682 [24:24<00:00,  1.15it/s]

In a terminal or a notebook the line is drawn over and over; elsewhere (a file, a pipe) only the
last one is written.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Optional, TextIO

#: Seconds between two drawings.
_INTERVAL = 0.1
#: Cells of the bar where the width is not that of a terminal.
_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def _in_notebook() -> bool:
    shell: Any = sys.modules.get("IPython")
    if shell is None:
        return False
    shell = shell.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _interval(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:d}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def _bar(share: float, cells: int) -> str:
    full, part = divmod(int(share * cells * 8), 8)
    text = "█" * full
    if full < cells:
        text += _EIGHTHS[part] + " " * (cells - full - 1)
    return text


class ProgressBar:
    """A bar for `total` items (None: not known); nothing is written before `update_to`.

    `columns` is the width to keep to; None takes the terminal's, and ten cells for the bar in a
    notebook or a file.
    """

    def __init__(
        self,
        description: str,
        total: Optional[int],
        *,
        unit: str = "it",
        scale: bool = False,
        file: Optional[TextIO] = None,
        columns: Optional[int] = None,
    ) -> None:
        self._description = description
        self._total = total
        self._unit = unit
        self._scale = scale
        self._file = file if file is not None else sys.stderr
        self._terminal = _is_terminal(self._file)
        self._live = self._terminal or _in_notebook()
        self._columns = columns
        self._started = time.monotonic()
        self._drawn_at = -_INTERVAL
        self._drawn = 0
        self._done = 0
        self._closed = False

    def update_to(self, done: int) -> None:
        """Sets how many are done, and draws if it is time."""
        self._done = done
        now = time.monotonic()
        if self._live and (now - self._drawn_at >= _INTERVAL or done == self._total):
            self._drawn_at = now
            self._write("\r" + self._padded(self.line()))

    def close(self) -> None:
        """Writes the last line; a second time, nothing."""
        if self._closed:
            return
        self._closed = True
        if self._live:
            self._write("\r" + self._padded(self.line()) + "\n")
        else:
            self._write(self.line() + "\n")

    def line(self) -> str:
        """The line as it would be drawn now."""
        elapsed = time.monotonic() - self._started
        rate = self._done / elapsed if elapsed > 0 else 0.0
        speed = self._speed(rate)
        prefix = f"{self._description}: " if self._description else ""
        if not self._total:
            return f"{prefix}{self._count(self._done)}{self._unit} [{_interval(elapsed)}, {speed}]"
        share = min(self._done / self._total, 1.0)
        left = _interval((self._total - self._done) / rate) if rate else "?"
        before = f"{prefix}{share * 100:3.0f}%|"
        after = (
            f"| {self._count(self._done)}/{self._count(self._total)} "
            f"[{_interval(elapsed)}<{left}, {speed}]"
        )
        return before + _bar(share, self._cells(len(before) + len(after))) + after

    def _speed(self, rate: float) -> str:
        if not rate:
            return f"?{self._unit}/s"
        if self._scale:
            return f"{self._count(rate)}{self._unit}/s"
        if rate < 1:
            return f"{1 / rate:5.2f}s/{self._unit}"
        return f"{rate:5.2f}{self._unit}/s"

    def _count(self, value: float) -> str:
        if not self._scale:
            return str(int(value))
        for step in ("", "k", "M", "G"):
            if value < 999.5:
                return f"{value:.3g}{step}"
            value /= 1000
        return f"{value:.3g}T"

    def _cells(self, around: int) -> int:
        columns = self._columns
        if columns is None and self._terminal:
            columns = _columns(self._file)
        return max(1, columns - around) if columns else _CELLS

    def _padded(self, line: str) -> str:
        """The line, with spaces over what is left of a longer one."""
        padding = " " * max(0, self._drawn - len(line))
        self._drawn = len(line)
        return line + padding

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def _is_terminal(file: TextIO) -> bool:
    try:
        return file.isatty()
    except (AttributeError, ValueError):
        return False


def _columns(file: TextIO) -> Optional[int]:
    try:
        return os.get_terminal_size(file.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


class StageProgress:
    """The bars of a long call: one for each of its stages, one after the other."""

    def __init__(self) -> None:
        self._stage: Optional[str] = None
        self._bar: Optional[ProgressBar] = None

    def show(self, stage: str, unit: Optional[str], done: int, total: int) -> None:
        if stage != self._stage:
            self.close()
            self._stage = stage
            bytes_ = unit == "bytes"
            self._bar = ProgressBar(
                stage.capitalize(),
                total or None,
                unit="B" if bytes_ else "it" if unit is None else " " + unit,
                scale=bytes_,
            )
        if self._bar is not None:
            self._bar.update_to(done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
