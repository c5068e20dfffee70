#!/usr/bin/env bash
# The Rust crate image 0.25.10: `ImageDecoder::orientation` and `Orientation::from_exif_chunk` do not find every EXIF orientation that
# a file may have. Where it is missed the picture is decoded as it lies, without an error.
#
# The PNG specification (third edition, 5.6) lets `eXIf` stand before or behind the pixels; behind them the decoder has not come to
# it when it is asked. EXIF gives the tag as SHORT; some writers write LONG, which other readers take. Pillow 12.0.0 and
# OpenCV 4.12.0 (opencv-python-headless 4.12.0.88) turn all three.
#
# Seen (width x height of a picture of 3x2 that is to be turned by 90 degrees; image: what it says of the orientation):
#   before   image Rotate90      Pillow 2x3  OpenCV 2x3
#   behind   image NoTransforms  Pillow 2x3  OpenCV 2x3
#   long     image NoTransforms  Pillow 2x3  OpenCV 2x3
#
# Needs cargo, python3 and the network for crates.io and PyPI; takes about a minute. Exits 1 when the behaviour has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet pillow==12.0.0 opencv-python-headless==4.12.0.88
cat > "$folder/make.py" <<'PY'
import struct, sys, zlib
import cv2
from PIL import Image, ImageOps

def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

def exif(kind, value):
    return b"II*\0" + struct.pack("<IHHHI", 8, 1, 274, kind, 1) + value + b"\0\0\0\0"

head = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0))
rows = b"".join(b"\0" + bytes(range(9 * y, 9 * y + 9)) for y in range(2))
pixels, end = chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
short = chunk(b"eXIf", exif(3, struct.pack("<HH", 6, 0)))
long = chunk(b"eXIf", exif(4, struct.pack("<I", 6)))
for name, chunks in [("before", [head, short, pixels]), ("behind", [head, pixels, short]), ("long", [head, long, pixels])]:
    file = f"{sys.argv[1]}/{name}.png"
    open(file, "wb").write(b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + end)
    with Image.open(file) as picture:
        picture.load()
        turned = ImageOps.exif_transpose(picture)
    height, width = cv2.imread(file).shape[:2]
    print(f"{name} Pillow {turned.width}x{turned.height} OpenCV {width}x{height}")
PY
"$folder/python/bin/python" "$folder/make.py" "$folder" > "$folder/others"
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "exif-orientation"
version = "0.0.0"
edition = "2021"

[dependencies]
image = { version = "=0.25.10", default-features = false, features = ["png"] }

[workspace]
TOML
cat > "$folder/src/main.rs" <<'RUST'
use image::{ImageDecoder, ImageReader};

fn main() {
    for name in ["before", "behind", "long"] {
        let file = format!("{}/{name}.png", std::env::args().nth(1).expect("a folder"));
        let mut decoder = ImageReader::open(file).expect("opens").into_decoder().expect("a picture");
        println!("{name} image {:?}", decoder.orientation().expect("reads"));
    }
}
RUST
CARGO_TARGET_DIR="$folder/target" cargo run --quiet --manifest-path "$folder/Cargo.toml" -- "$folder" > "$folder/ours"
found="$(join "$folder/ours" "$folder/others")"
echo "$found"
expected="before image Rotate90 Pillow 2x3 OpenCV 2x3
behind image NoTransforms Pillow 2x3 OpenCV 2x3
long image NoTransforms Pillow 2x3 OpenCV 2x3"
[ "$found" = "$expected" ] || { echo "the behaviour has changed"; exit 1; }
