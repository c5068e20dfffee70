#!/usr/bin/env python3
"""Gathers the photographs that the bundled weights were trained on.

    apt-get download lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds plasma-workspace-wallpapers
    for deb in *.deb; do dpkg-deb -x "$deb" unpacked/"${deb%%_*}"; done
    python3 photographs.py KODAK_FOLDER unpacked OUTPUT_FOLDER

KODAK_FOLDER holds the Kodak images as kodimNN.png. Needs Pillow (12.1 was used). The Debian packages are those
of Debian 12. Each wallpaper is shrunk by Lanczos by a factor of at least 2, to a short side of at most 640 pixels,
so that its own compression and noise vanish. Only photographs are listed; drawn and rendered wallpapers are not.
"""
import pathlib
import sys

from PIL import Image

SHORT_SIDE = 640
KODAK = [2, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 24]
WALLPAPERS = {
    "lomiri-wallpapers-16.04": [f"usr/share/backgrounds/{name}.jpg" for name in (
        "Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "Picture_0B_by_freespace", "Picture_1A_by_freespace",
        "Wine_by_Jakkub_Mede", "aitzgorri_by_Aitzol_Berasategi", "free_by_Peter_Nerlich",
        "friends_by_Aitzol_Berasategi", "greentock_by_Peter_Nerlich", "life_by_Aitzol_Berasategi",
        "picosdeeuropa_by_Aitzol_Berasategi", "seeding_by_Clements_Engelhardt", "sunset_by_Aitzol_Berasategi")],
    "lomiri-wallpapers-20.04": ["usr/share/backgrounds/Kleiber_by_Lukas_Baubkus.jpg"],
    "mate-backgrounds": [f"usr/share/backgrounds/mate/nature/{name}.jpg" for name in (
        "Blinds", "Dune", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "TwoWings", "YellowFlower")],
    "plasma-workspace-wallpapers": [f"usr/share/wallpapers/{name}/contents/images/2560x1600.jpg" for name in (
        "BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow", "FallenLeaf", "Grey", "OneStandsOut", "Path")],
}


def main(kodak, unpacked, output):
    output.mkdir(parents=True, exist_ok=True)
    for number in KODAK:
        name = f"kodim{number:02}.png"
        Image.open(kodak / name).convert("RGB").save(output / name)
    for package, paths in WALLPAPERS.items():
        for path in paths:
            path = pathlib.Path(path)
            plasma = path.parts[-3] == "contents"
            name = (path.parts[-4] if plasma else path.stem).lower()
            image = Image.open(unpacked / package / path).convert("RGB")
            factor = max(2.0, min(image.size) / SHORT_SIDE)
            size = tuple(round(side / factor) for side in image.size)
            image.resize(size, Image.Resampling.LANCZOS).save(output / f"{name}.png")
            print(f"{name}.png {size[0]}x{size[1]} from {package}")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:4]))
