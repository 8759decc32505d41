"""Whether two checkouts train the same numbers: every preset and rule for a few epochs, hashed, compared.

python benchmarks/same_numbers.py OTHER_CHECKOUT

Both are run on this machine by this interpreter. A case is a training through the command line; its hash covers the
parameters of the newest checkpoint and all of metrics.jsonl but times. Runs that the other checkout made, and the
shipped ones, are resumed by both. Prints "equal", or the cases that differ and exits with 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BOOK = ("-nt", "120", "-nb", "24", "-ne", "3")
GAME = ("--preset", "avellaneda-stoikov", "-nt", "60", "-nb", "48", "-ne", "3")
CASES: dict[str, tuple[str, ...]] = {
    **{
        f"preset {name}": ("--preset", name, "-nt", "100", "-nb", "24", "-ne", "3")
        for name in ("default", "quickstart", "lineage", "avellaneda-stoikov", "cartea-jaimungal")
    },
    "book, tensor": (*BOOK, "--engine", "tensor"),
    "book, tensor, lineage rules it has": (
        *BOOK, "--engine", "tensor", "--set", "owner=maker", "--set", "crossed=dropped", "--set", "market_order=walk",
        "--set", "exhausted=refilled", "--set", "emptying_step=discarded", "--set", "rounding=nearest",
    ),
    "book, reinforce": (*BOOK, "--noppo"),
    "book, no clip": (*BOOK, "--noclip"),
    "book, no value network": (*BOOK, "--noadv"),
    "book, td": (*BOOK, "-td"),
    "book, categorical": (*BOOK, "--policy", "categorical"),
    "book, categorical, tensor": (*BOOK, "--policy", "categorical", "--engine", "tensor"),
    "book, uniform": (*BOOK, "--uniform", "-bs", "60"),
    "book, uniform, tensor": (*BOOK, "--uniform", "-bs", "60", "--engine", "tensor"),
    "book, runs empty": (*BOOK, "-bs", "60"),
    "book, three states": (*BOOK, "-no", "3"),
    "book, three states, tensor": (*BOOK, "-no", "3", "--engine", "tensor"),
    "book, all observed": (*BOOK, "--set", "observation=full"),
    "book, all observed, tensor": (*BOOK, "--set", "observation=full", "--engine", "tensor"),
    "book, quotes observed": (*BOOK, "--set", "observation=state"),
    "book, bonuses": (*BOOK, "-ai", "-at", "-af"),
    "book, bonuses, tensor": (*BOOK, "-ai", "-at", "-af", "--engine", "tensor"),
    "book, no immediate reward": (*BOOK, "-ni"),
    "book, cut by time": (*BOOK, "--set", "time_limit=cuts", "--set", "final=none", "--set", "immediate=pnl"),
    "book, final cara": (*BOOK, "--set", "final=cara", "--set", "risk_aversion=0.001"),
    "book, one thread": (*BOOK, "--threads", "1"),
    "book, half steps": (*BOOK, "--set", "dt=0.5"),
    **{
        f"book, {name}": (*BOOK, "--utility", name)
        for name in ("linear", "cara", "mean-variance", "damped", "damped-symmetric", "guo-lin-huang")
    },
    "book, inventory penalty": (*BOOK, "--utility", "inventory-penalty", "--set", "inventory_penalty=0.001"),
    "book, damped, tensor": (*BOOK, "--utility", "damped", "--engine", "tensor"),
    "game, tensor": (*GAME, "--engine", "tensor"),
    "game, linear fills": (*GAME, "--set", "fill=linear"),
    "game, no tilt": (*GAME, "--set", "as_tilt=none"),
    "game, categorical": (*GAME, "--policy", "categorical"),
    "game, categorical, tensor": (*GAME, "--policy", "categorical", "--engine", "tensor"),
    "game, reinforce": (*GAME, "--noppo"),
    "game, Monte Carlo": (*GAME, "--set", "td=false", "--utility", "mean-variance"),
    "game, midprice": (*GAME, "--set", "as_midprice=50", "--set", "as_delta_centre=1.2", "--set", "as_delta_scale=0.5"),
    "game, wealth": (*GAME, "--utility", "custom", "-ai", "-at"),
    "game, damped": (*GAME, "--utility", "damped"),
    "game, guo-lin-huang, tensor": (*GAME, "--utility", "guo-lin-huang", "--engine", "tensor"),
}  # fmt: skip
RESUMED = ("preset default", "preset lineage", "preset avellaneda-stoikov", "book, categorical", "game, categorical")
"""Cases whose runs, made by the other checkout, both go on with."""
SHIPPED = ("good-results/quickstart", "good-results/avellaneda-stoikov-ppo", "tests/data/runs/v1")
TIMES = ("seconds_rollout", "seconds_update", "steps_per_second", "wall")


def fingerprint(folder: Path) -> str:
    """SHA-256 of what a run has learned and recorded, without times."""
    digest = hashlib.sha256()
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        digest.update(json.dumps({k: v for k, v in row.items() if k not in TIMES}, sort_keys=True).encode())
    newest = max((folder / "checkpoints").glob("*.safetensors"))
    digest.update(newest.read_bytes())
    return digest.hexdigest()[:16]


def train(arguments: list[str]) -> str:
    """Run `mmrl train` in this process; returns what went wrong, or nothing."""
    import cli

    caught = io.StringIO()
    with contextlib.redirect_stdout(caught), contextlib.redirect_stderr(caught):
        try:
            cli.main(["train", *arguments])
        except SystemExit as error:
            if error.code not in (0, None):
                return f"exit {error.code}: {caught.getvalue().strip().splitlines()[-1:]}"
    return ""


def work(checkout: Path, out: Path, source: Path | None) -> None:
    """All cases of one checkout into the folder `out`; prints their hashes as JSON."""
    sys.path.insert(0, str(checkout))
    os.chdir(out)
    found = {}
    for number, (name, arguments) in enumerate(CASES.items()):
        fault = train([*arguments, "--set", "plot_after=0", "--name", f"case{number}", "--results", str(out)])
        found[name] = fault or fingerprint(out / f"case{number}")
    made = {name: (source or out) / f"case{list(CASES).index(name)}" for name in RESUMED}
    made |= {place: (source or out) / "shipped" / Path(place).name for place in SHIPPED}
    for number, (name, folder) in enumerate(made.items()):
        if name in SHIPPED and source is None:
            shutil.copytree(checkout / name, folder)
        copy = out / "resumed" / f"run{number}"
        shutil.copytree(folder, copy)
        fault = train(["--load", f"resumed/run{number}", "--expand", "2", "--results", str(out)])
        left = next(iter(sorted((out / "resumed").glob(f"run{number}*"))), copy)
        found[f"{name}, resumed"] = fault or fingerprint(left)
    print(json.dumps(found))


def main() -> None:
    """Compare this checkout with another."""
    here, other = Path(__file__).resolve().parent.parent, Path(sys.argv[1]).resolve()
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        source = ""
        for checkout, place in ((other, Path(scratch) / "other"), (here, Path(scratch) / "here")):
            place.mkdir()
            command = [sys.executable, __file__, "--work", str(checkout), str(place), source]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{checkout}: {done.stderr.strip()}")
            results.append(json.loads(done.stdout.splitlines()[-1]))
            source = str(place)
    before, after = results
    unlike = [name for name in before if before[name] != after.get(name)]
    for name in unlike:
        print(f"{name}: {before[name]} there, {after.get(name)} here")
    broken = [name for name in before if before[name].startswith("exit")]
    for name in broken:
        print(f"{name}: does not run: {before[name]}")
    print("different" if unlike or broken else f"equal ({len(before)} cases)")
    sys.exit(bool(unlike or broken))


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]) if sys.argv[4] else None)
    else:
        main()
