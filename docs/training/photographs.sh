#!/usr/bin/env bash
# Gathers pristine photographs for the synthetic training set.
#
#   docs/training/photographs.sh KODAK_DIR OUT_DIR
#
# KODAK_DIR holds Kodak photographs as kodimNN.png; they are copied as they are. The others come from
# Debian packages of desktop backgrounds and puzzles and from the scikit-image wheel (PHOTOGRAPHS.md lists
# origin, author and terms of each). Each is turned upright, brought to sRGB, and shrunk by Lanczos by a
# factor of at least 2, so that its compression and sensor noise vanish; the short side ends near 640.
# Files already of that kind (PNG, shrunk by their authors) are taken at their size. Output: 8-bit RGB PNG.
#
# Needs apt-get with a Debian mirror configured, dpkg-deb, and python3 with venv. Packages are downloaded,
# never installed. Running it again makes only what is missing in OUT_DIR. A package that a mirror no longer
# carries costs its photographs and a warning, and the exit status is then 1.
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

# release  package  path in the package  name of the output
list() {
    cat <<'LIST'
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/Dragonfly_by_Bolly.jpg lomiri_dragonfly
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/Picture_0B_by_freespace.jpg lomiri_fig
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/Picture_1A_by_freespace.jpg lomiri_brushes
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/Wine_by_Jakkub_Mede.jpg lomiri_wine
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg lomiri_aitzgorri
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/friends_by_Aitzol_Berasategi.jpg lomiri_friends
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/greentock_by_Peter_Nerlich.jpg lomiri_greentock
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg lomiri_life
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg lomiri_picosdeeuropa
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg lomiri_seeding
bookworm lomiri-wallpapers-16.04 usr/share/backgrounds/sunset_by_Aitzol_Berasategi.jpg lomiri_sunset
bookworm lomiri-wallpapers-20.04 usr/share/backgrounds/Kleiber_by_Lukas_Baubkus.jpg lomiri_kleiber
bookworm lxqt-themes usr/share/lxqt/wallpapers/Butterfly-Kenneth-Wimer.jpg lxqt_butterfly_wimer
bookworm lxqt-themes usr/share/lxqt/wallpapers/after-the-rain.jpg lxqt_after_the_rain
bookworm lxqt-themes usr/share/lxqt/wallpapers/appleflower.png lxqt_appleflower
bookworm lxqt-themes usr/share/lxqt/wallpapers/butterfly.png lxqt_butterfly
bookworm lxqt-themes usr/share/lxqt/wallpapers/cloud.png lxqt_cloud
bookworm lxqt-themes usr/share/lxqt/wallpapers/drop.png lxqt_drop
bookworm lxqt-themes usr/share/lxqt/wallpapers/flowers.png lxqt_flowers
bookworm lxqt-themes usr/share/lxqt/wallpapers/this-is-not-windows.jpg lxqt_hills
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/Aqua.jpg mate_aqua
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/Blinds.jpg mate_blinds
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/Dune.jpg mate_dune
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/FreshFlower.jpg mate_freshflower
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/Garden.jpg mate_garden
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/GreenMeadow.jpg mate_greenmeadow
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/LadyBird.jpg mate_ladybird
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/RainDrops.jpg mate_raindrops
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/TwoWings.jpg mate_twowings
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/Wood.jpg mate_wood
bookworm mate-backgrounds usr/share/backgrounds/mate/nature/YellowFlower.jpg mate_yellowflower
bookworm palapeli-data usr/share/palapeli/collection/castle-maintenon.jpg palapeli_castle_maintenon
bookworm palapeli-data usr/share/palapeli/collection/cincinnati-bridge.jpg palapeli_cincinnati_bridge
bookworm palapeli-data usr/share/palapeli/collection/citrus-fruits.jpg palapeli_citrus_fruits
bookworm palapeli-data usr/share/palapeli/collection/european-honey-bee.jpg palapeli_honey_bee
bookworm palapeli-data usr/share/palapeli/collection/panther-chameleon-female.jpg palapeli_chameleon
bookworm plasma-workspace-wallpapers usr/share/wallpapers/BytheWater/contents/images/2560x1600.jpg plasma_bythewater
bookworm plasma-workspace-wallpapers usr/share/wallpapers/ColdRipple/contents/images/2560x1600.jpg plasma_coldripple
bookworm plasma-workspace-wallpapers usr/share/wallpapers/ColorfulCups/contents/images/2560x1600.jpg plasma_colorfulcups
bookworm plasma-workspace-wallpapers usr/share/wallpapers/EveningGlow/contents/images/2560x1600.jpg plasma_eveningglow
bookworm plasma-workspace-wallpapers usr/share/wallpapers/FallenLeaf/contents/images/2560x1600.jpg plasma_fallenleaf
bookworm plasma-workspace-wallpapers usr/share/wallpapers/OneStandsOut/contents/images/2560x1600.jpg plasma_onestandsout
bookworm plasma-workspace-wallpapers usr/share/wallpapers/Path/contents/images/2560x1600.jpg plasma_path
bullseye gnome-backgrounds usr/share/backgrounds/gnome/Acrylic.jpg gnome_acrylic
bullseye gnome-backgrounds usr/share/backgrounds/gnome/ColdWarm.jpg gnome_coldwarm
bullseye gnome-backgrounds usr/share/backgrounds/gnome/Icetwigs.jpg gnome_icetwigs
bullseye gnome-backgrounds usr/share/backgrounds/gnome/Road.jpg gnome_road
bullseye gnome-backgrounds usr/share/backgrounds/gnome/SeaSunset.jpg gnome_seasunset
trixie budgie-backgrounds usr/share/backgrounds/budgie/abstract-spiral.jpg budgie_abstract_spiral
trixie budgie-backgrounds usr/share/backgrounds/budgie/beacon-street-sunset.jpg budgie_beacon_street
trixie budgie-backgrounds usr/share/backgrounds/budgie/blue-periwinkle.jpg budgie_blue_periwinkle
trixie budgie-backgrounds usr/share/backgrounds/budgie/canyon-wren.jpg budgie_canyon_wren
trixie budgie-backgrounds usr/share/backgrounds/budgie/casa-mila.jpg budgie_casa_mila
trixie budgie-backgrounds usr/share/backgrounds/budgie/extreme-desert-hike.jpg budgie_desert_hike
trixie budgie-backgrounds usr/share/backgrounds/budgie/high-trestle-trail.jpg budgie_high_trestle
trixie budgie-backgrounds usr/share/backgrounds/budgie/lake-sherburne.jpg budgie_lake_sherburne
trixie budgie-backgrounds usr/share/backgrounds/budgie/oakland-zoo-otters.jpg budgie_otters
trixie budgie-backgrounds usr/share/backgrounds/budgie/perched-osprey.jpg budgie_osprey
trixie budgie-backgrounds usr/share/backgrounds/budgie/roman-colosseum.jpg budgie_colosseum
trixie budgie-backgrounds usr/share/backgrounds/budgie/singaporean-cityscape.jpg budgie_singapore
trixie budgie-backgrounds usr/share/backgrounds/budgie/tea-gardens.jpg budgie_tea_gardens
wheel scikit-image skimage/data/astronaut.png skimage_astronaut
wheel scikit-image skimage/data/coffee.png skimage_coffee
wheel scikit-image skimage/data/motorcycle_left.png skimage_motorcycle
LIST
}

# Version of the wheel named above.
wheel_version=0.26.0

cp -n "$kodak"/kodim[0-9][0-9].png "$out"/ 2>/dev/null || true

list | while read -r release package path name; do
    [ -s "$out/$name.png" ] || echo "$release $package $path $name"
done >"$work/missing"
if [ ! -s "$work/missing" ]; then
    echo "$(find "$out" -maxdepth 1 -name '*.png' | wc -l) photographs in $2"
    exit 0
fi

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow

# An apt of its own per release, so that the result does not hang on the release of this machine: the mirror
# and its signing keys are those of the machine's own configuration.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(SIGNED_BY)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | sed -n 1p)
uri=${mirror%% *}
key=${mirror#* }
[ "$key" = "$mirror" ] && key=
release_apt() { # release, then arguments of apt-get
    local dir="$work/apt/$1"
    shift
    apt-get -qq -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=- \
        -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o "APT::Sandbox::User=$(id -un)" "$@"
}

status=0
while read -r release package; do
    dir="$work/$release/$package"
    mkdir -p "$dir"
    if [ "$release" = wheel ]; then
        "$work/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --dest "$dir" "$package==$wheel_version" &&
            "$work/venv/bin/python" -m zipfile -e "$dir"/*.whl "$dir" ||
            { echo "warning: no $package" >&2; status=1; }
        continue
    fi
    if [ ! -d "$work/apt/$release" ]; then
        mkdir -p "$work/apt/$release/lists/partial" "$work/apt/$release/cache/archives/partial"
        echo "deb ${key:+[signed-by=$key] }$uri $release main" >"$work/apt/$release/sources.list"
        release_apt "$release" update || echo "warning: no package list of $release" >&2
    fi
    (cd "$dir" && release_apt "$release" download "$package" && dpkg-deb -x ./*.deb . && rm ./*.deb) ||
        { echo "warning: no $package in $release" >&2; status=1; }
done < <(cut -d' ' -f1,2 "$work/missing" | sort -u)

"$work/venv/bin/python" - "$work" "$out" <<'PYTHON' || status=1
import io, os, sys
from PIL import Image, ImageCms, ImageOps

SHORT_SIDE = 640      # wished for, where the photograph is large enough
LEAST_FACTOR = 2.0    # hides JPEG blocks and sensor noise
work, out = sys.argv[1:]
lost = False
Image.MAX_IMAGE_PIXELS = None
for line in open(os.path.join(work, "missing")):
    release, package, path, name = line.split()
    source = os.path.join(work, release, package, path)
    if not os.path.exists(source):
        print(f"warning: {name} is missing", file=sys.stderr)
        lost = True
        continue
    image = ImageOps.exif_transpose(Image.open(source))
    profile = image.info.get("icc_profile")
    image = image.convert("RGB")
    if profile:
        try:
            image = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"))
        except ImageCms.PyCMSError:
            pass  # a profile for another colour space: the values stay as they are
    if release != "wheel":
        factor = max(LEAST_FACTOR, min(image.size) / SHORT_SIDE)
        size = tuple(int(side / factor) for side in image.size)
        image = image.resize(size, Image.Resampling.LANCZOS)
    image.info.clear()
    image.save(os.path.join(out, name + ".part"), format="PNG", optimize=True)
    os.replace(os.path.join(out, name + ".part"), os.path.join(out, name + ".png"))
sys.exit(lost)
PYTHON

echo "$(find "$out" -maxdepth 1 -name '*.png' | wc -l) photographs in $2"
exit "$status"
