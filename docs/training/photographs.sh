#!/usr/bin/env bash
# Gathers pristine photographs for the synthetic training set.
#
#   docs/training/photographs.sh KODAK_DIR OUT_DIR
#
# KODAK_DIR holds Kodak photographs as kodimNN.png; they are copied as they are. The others come from Debian
# packages of desktop backgrounds and puzzles and from the scikit-image wheel; PHOTOGRAPHS.md gives author
# and terms of each. Each photograph of a package is shrunk by Lanczos by a factor of at least 2, to a short
# side of at most 640 pixels, so that its own compression and noise vanish. Those of scikit-image are PNG
# that their authors shrunk already: they are taken at their size. Output: RGB PNG, 8 bits, at least 512x384.
#
# Needs apt-get with a Debian mirror configured, dpkg-deb, and python3 with venv and pip. Packages are
# downloaded and unpacked into a temporary folder, never installed. Running it again makes only what OUT_DIR
# lacks. Photographs that cannot be had cost a warning, and the exit status is then 1.
#
# photographs.py makes the subset that the bundled weights were trained on, with the same names and pixels.
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: $0 KODAK_DIR OUT_DIR" >&2
    exit 2
fi
kodak=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Versions the list was made with.
skimage=scikit-image==0.26.0
pillow=pillow==13.0.0

# Source (a Debian release, or "wheel"), package, folder in it, files.
list() {
    local photograph
    while read -r source package folder files; do
        for photograph in $files; do
            # The name of the output: the file's, or the wallpaper's where files are called by their size.
            local name=${photograph%%/*}
            echo "$source $package $folder/$photograph $(basename "${name%.*}" | tr '[:upper:]' '[:lower:]')"
        done
    done <<'LIST'
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds Bridge_by_Sander_Klootwijk.jpg Dragonfly_by_Bolly.jpg Picture_0B_by_freespace.jpg Picture_1A_by_freespace.jpg Wine_by_Jakkub_Mede.jpg aitzgorri_by_Aitzol_Berasategi.jpg free_by_Peter_Nerlich.jpg friends_by_Aitzol_Berasategi.jpg greentock_by_Peter_Nerlich.jpg life_by_Aitzol_Berasategi.jpg picosdeeuropa_by_Aitzol_Berasategi.jpg seeding_by_Clements_Engelhardt.jpg sunset_by_Aitzol_Berasategi.jpg
bookworm lomiri-wallpapers-20.04 usr/share/backgrounds Kleiber_by_Lukas_Baubkus.jpg
bookworm lxqt-themes usr/share/lxqt/wallpapers Butterfly-Kenneth-Wimer.jpg after-the-rain.jpg appleflower.png butterfly.png drop.png flowers.png this-is-not-windows.jpg
bookworm mate-backgrounds usr/share/backgrounds/mate/nature Aqua.jpg Blinds.jpg Dune.jpg Garden.jpg GreenMeadow.jpg LadyBird.jpg RainDrops.jpg TwoWings.jpg Wood.jpg YellowFlower.jpg
bookworm palapeli-data usr/share/palapeli/collection cincinnati-bridge.jpg citrus-fruits.jpg european-honey-bee.jpg panther-chameleon-female.jpg
bookworm plasma-workspace-wallpapers usr/share/wallpapers BytheWater/contents/images/2560x1600.jpg ColdRipple/contents/images/2560x1600.jpg ColorfulCups/contents/images/2560x1600.jpg EveningGlow/contents/images/2560x1600.jpg FallenLeaf/contents/images/2560x1600.jpg Grey/contents/images/2560x1600.jpg OneStandsOut/contents/images/2560x1600.jpg Path/contents/images/2560x1600.jpg
bullseye gnome-backgrounds usr/share/backgrounds/gnome ColdWarm.jpg Road.jpg SeaSunset.jpg
trixie budgie-backgrounds usr/share/backgrounds/budgie abstract-spiral.jpg beacon-street-sunset.jpg blue-periwinkle.jpg canyon-wren.jpg casa-mila.jpg extreme-desert-hike.jpg high-trestle-trail.jpg lake-sherburne.jpg oakland-zoo-otters.jpg perched-osprey.jpg roman-colosseum.jpg singaporean-cityscape.jpg tea-gardens.jpg
wheel scikit-image skimage/data astronaut.png coffee.png
LIST
}

status=0
for photograph in "$kodak"/kodim[0-9][0-9].png; do
    name=$(basename "$photograph")
    [ -s "$out/$name" ] || cp "$photograph" "$out/$name" || status=1
done

list | while read -r source package path name; do
    [ -s "$out/$name.png" ] || echo "$source $package $path $name"
done >"$work/missing"

count() {
    echo "$(find "$out" -maxdepth 1 -name '*.png' | wc -l) photographs in $2"
}
if [ ! -s "$work/missing" ]; then
    count "$@"
    exit "$status"
fi

python3 -m venv "$work/venv"
pip() {
    "$work/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"
}
pip install "$pillow"

# A private apt for each release, so that the result does not depend on the release of this machine. The mirror
# is that of the machine's own configuration, the keys are those of Debian's keyring package.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u | sed -n 1p)
keyring=$(dpkg -L debian-archive-keyring | grep -m1 -E 'debian-archive-keyring\.(gpg|pgp)$')
release_apt() { # release, then arguments of apt-get
    local dir="$work/apt/$1"
    shift
    apt-get -qq -o "Dir::Etc::SourceList=$dir/sources.list" -o "Dir::Etc::SourceParts=$dir/none" \
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o "APT::Sandbox::User=$(id -un)" "$@"
}

while read -r source package; do
    dir="$work/$source/$package"
    mkdir -p "$dir"
    if [ "$source" = wheel ]; then
        { pip download --no-deps --only-binary :all: --dest "$dir" "$skimage" &&
            "$work/venv/bin/python" -m zipfile -e "$dir"/*.whl "$dir"; } ||
            { echo "warning: no $package" >&2; status=1; }
        continue
    fi
    if [ ! -d "$work/apt/$source" ]; then
        mkdir -p "$work/apt/$source/lists/partial" "$work/apt/$source/cache/archives/partial"
        echo "deb [signed-by=$keyring] $mirror $source main" >"$work/apt/$source/sources.list"
        release_apt "$source" update || echo "warning: no package list of $source" >&2
    fi
    { cd "$dir" && release_apt "$source" download "$package" && dpkg-deb -x ./*.deb . && cd "$out"; } ||
        { echo "warning: no $package in $source" >&2; status=1; }
done < <(cut -d' ' -f1,2 "$work/missing" | sort -u)

"$work/venv/bin/python" - "$work" "$out" <<'PYTHON' || status=1
import os, sys
from PIL import Image

SHORT_SIDE = 640    # at most
LEAST_FACTOR = 2.0  # hides JPEG blocks and sensor noise
LEAST = (384, 512)  # short and long side that training needs
work, out = sys.argv[1:]
lost = False
for line in open(os.path.join(work, "missing")):
    source, package, path, name = line.split()
    path = os.path.join(work, source, package, path)
    if not os.path.exists(path):
        print(f"warning: {name} is missing", file=sys.stderr)
        lost = True
        continue
    image = Image.open(path).convert("RGB")
    if source != "wheel":
        factor = max(LEAST_FACTOR, min(image.size) / SHORT_SIDE)
        size = tuple(round(side / factor) for side in image.size)
        image = image.resize(size, Image.Resampling.LANCZOS)
    if any(side < least for side, least in zip(sorted(image.size), LEAST)):
        print(f"warning: {name} is too small", file=sys.stderr)
        lost = True
        continue
    # The profiles of all files listed are sRGB, so none is kept.
    image.info.clear()
    part = os.path.join(out, name + ".part")
    image.save(part, format="PNG")
    os.replace(part, os.path.join(out, name + ".png"))
sys.exit(lost)
PYTHON

count "$@"
exit "$status"
