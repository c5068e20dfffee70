"""Small pictures with labels of their own, for a network that learns from crops (GSN's card in crates/iqa-heads/weights).

    python docs/training/tiles.py cut LIST FOLDER --each 4 [--range 0,7.2]
    iqa score --pairs FOLDER/pairs.csv --model wadiqam_fr --quiet --output FOLDER/teacher.csv
    python docs/training/tiles.py label FOLDER FOLDER ... --output labels.csv

`cut` takes square tiles out of the pairs of a list (columns distorted, reference, and score). With `--range` the list's
scores are opinions; they are brought to 0 to 1. `label` writes one list of all tiles: what the teacher gives each, and
where there is an opinion on the whole picture, moved so that the tiles' mean is that opinion.
"""

import argparse
import csv
import os
import pathlib
import random
from collections import defaultdict

from PIL import Image


def cut(options):
    """Writes tiles and their list, in the order of the pairs."""
    for side in "dr":
        (options.output / side).mkdir(parents=True, exist_ok=True)
    rng, made, open_reference = random.Random(options.seed), set(), (None, None)
    low, high = options.range or (0, 1)
    with open(options.list, newline="") as rows, open(options.output / "pairs.csv", "w", newline="") as out:
        write = csv.writer(out)
        write.writerow(["distorted", "reference", "picture", "group", "opinion"])
        for picture, row in enumerate(csv.DictReader(rows)):
            name = row["reference"]
            if open_reference[0] != name:
                open_reference = name, Image.open(options.list.parent / name).convert("RGB")
            reference = open_reference[1]
            distorted = Image.open(options.list.parent / row["distorted"]).convert("RGB")
            side, group = options.side, pathlib.Path(name).stem
            places = [(x, y) for y in range(0, reference.height - side + 1, side)
                      for x in range(0, reference.width - side + 1, side)]
            opinion = (float(row["score"]) - low) / (high - low) if options.range else ""
            for x, y in sorted(rng.sample(places, min(options.each, len(places)))):
                box = (x, y, x + side, y + side)
                of_reference, of_distorted = f"r/{group}_{x}_{y}.png", f"d/{picture}_{x}_{y}.png"
                if of_reference not in made:
                    reference.crop(box).save(options.output / of_reference, compress_level=1)
                    made.add(of_reference)
                distorted.crop(box).save(options.output / of_distorted, compress_level=1)
                write.writerow([of_distorted, of_reference, picture, group, opinion])


def label(options):
    """Writes the list of all folders' tiles, with paths from its own folder."""
    with open(options.output, "w", newline="") as out:
        write = csv.writer(out)
        write.writerow(["distorted", "reference", "group", "score"])
        for folder in options.folders:
            with open(folder / "pairs.csv", newline="") as pairs, open(folder / "teacher.csv", newline="") as scores:
                rows = [(row, float(score["score"])) for row, score
                        in zip(csv.DictReader(pairs), csv.DictReader(scores), strict=True)]
            of_picture = defaultdict(list)
            for row, score in rows:
                of_picture[row["picture"]].append(score)
            path = os.path.relpath(folder, options.output.parent)
            for row, score in rows:
                scores = of_picture[row["picture"]]
                if row["opinion"]:
                    score += float(row["opinion"]) - sum(scores) / len(scores)
                score = min(1.1, max(-0.1, score))
                write.writerow([f"{path}/{row['distorted']}", f"{path}/{row['reference']}",
                                f"{folder.name}_{row['group']}", f"{score:.5f}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    of_cut = commands.add_parser("cut")
    of_cut.set_defaults(run=cut)
    of_cut.add_argument("list", type=pathlib.Path)
    of_cut.add_argument("output", type=pathlib.Path)
    of_cut.add_argument("--side", type=int, default=128)
    of_cut.add_argument("--each", type=int, default=4, help="tiles of each pair, at random places of a grid")
    of_cut.add_argument("--range", type=lambda text: tuple(map(float, text.split(","))))
    of_cut.add_argument("--seed", type=int, default=1)
    of_label = commands.add_parser("label")
    of_label.set_defaults(run=label)
    of_label.add_argument("folders", type=pathlib.Path, nargs="+")
    of_label.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.run(options)


main()
