"""All rows, tool by tool where one thing is tried with several."""

from . import layers, images, commands, builds  # noqa: F401 (each adds its rows)
from .row import ROWS
