"""The README's picture: the page that `swim simulate --html` writes, 3.6 ms after a kill, in light and dark colours.

    python docs/pictures/replay.py  # writes docs/figures/replay-light.png and replay-dark.png; takes chromium

The run is always the same one; browsers and fonts differ a little in how they draw it.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from PIL import Image

from swim_anyio.command.experiments.replay import record_run
from swim_core.simulation.study import Experiment, Setting

__all__ = ["take"]

MOMENT = 0.0036  # seconds: half of the members know
SIZE = 1_100, 640  # pixels
COLOURS = 64  # the most frequent ones, which leaves the rest to edges of letters; with all a file has 190 kB
SCHEMES = {"dark": 0, "light": 1}  # as the browser counts them


def take(into: Path, browser: str = "chromium") -> list[Path]:
    """Write both pictures into a folder; returns their paths.

    Raises:
        OSError: if there is no such browser.
        CalledProcessError: if it fails.
    """
    _, page = record_run(Experiment.KILL, Setting(members=32), 0)
    taken = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "kill.html"
        file.write_bytes(page)
        for scheme, number in SCHEMES.items():
            shot = Path(folder) / "shot.png"
            options = [f"--window-size={SIZE[0]},{SIZE[1]}", f"--blink-settings=preferredColorScheme={number}"]
            options += ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            options += [f"--user-data-dir={folder}/{scheme}", f"--screenshot={shot}", f"{file.as_uri()}#{MOMENT}"]
            subprocess.run([browser, *options], check=True, capture_output=True, timeout=120)
            path = into / f"replay-{scheme}.png"
            with Image.open(shot) as image:
                _with_few_colours(image.convert("RGB")).save(path, optimize=True)
            taken.append(path)
    return taken


def _with_few_colours(image: Image.Image) -> Image.Image:
    counted = image.getcolors(1 << 24) or []
    frequent = [colour for _, colour in sorted(counted, key=lambda one: one[0], reverse=True)][:COLOURS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in frequent for part in cast(tuple[int, int, int], colour)])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    print(*take(Path(__file__).parent.parent / "figures", *sys.argv[1:]), sep="\n")
