#!/usr/bin/env bash
# The Rust crate csv 1.4.0 (csv-core 0.1.13): the line that `Position::line` gives for a record is not always the line that the
# record begins on.
#
# After LF it is. After CR LF it is one too low: the first record below a header is said to be on the header's line. Blank lines
# before a record are not counted in, and lines that end with CR alone are all line 1. An error message that prints this line
# sends people to the wrong row of a file that was saved by a spreadsheet on Windows.
#
# Seen, records' lines (right: 2 3, 2 3, 4, 2 3):
#   LF 2 3 / CR LF 1 2 / blank lines 2 / CR 1 1
#
# Needs cargo and the network for crates.io; takes some seconds. Exits 1 when the behaviour has changed.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "line-of-a-record"
version = "0.0.0"
edition = "2021"

[dependencies]
csv = "=1.4.0"
csv-core = "=0.1.13"

[workspace]
TOML
cat > "$folder/src/main.rs" <<'RUST'
fn main() {
    for (name, text) in [
        ("LF", "a,b\n1,2\n3,4\n"),
        ("CR LF", "a,b\r\n1,2\r\n3,4\r\n"),
        ("blank lines", "a,b\n\n\n1,2\n"),
        ("CR", "a,b\r1,2\r3,4\r"),
    ] {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.headers().unwrap();
        let lines: Vec<String> =
            reader.records().map(|record| record.unwrap().position().unwrap().line().to_string()).collect();
        println!("{name} {}", lines.join(" "));
    }
}
RUST
found="$(cd "$folder" && CARGO_TARGET_DIR="$folder/target" cargo run --quiet)"
expected="LF 2 3
CR LF 1 2
blank lines 2
CR 1 1"
if [ "$found" = "$expected" ]; then
    echo "as described: $(echo "$found" | paste -sd/ | sed 's,/, / ,g')"
else
    printf 'changed; found:\n%s\n' "$found"
    exit 1
fi
