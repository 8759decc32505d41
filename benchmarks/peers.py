"""mmrl beside its peers on one machine: steps a second of the same game, and seconds to 99 % of its exact optimum.

    python -m benchmarks.peers [--rounds N] [--steps N] [--only TEXT] [--json] [--mbt-gym FOLDER] [--environment FOLDER]

The peers are no dependencies of mmrl: they are installed into an environment that is removed at the end, or into the
folder given, which is kept; it borrows torch and numpy from the one that runs this. What does not install is left out,
with the reason.

Game: Avellaneda & Stoikov, T = 1 in 200 steps, sigma = 2, A = 140, k = 1.5, gamma = 0.1. On one thread, in CPU
seconds; `on the clock` in seconds, with all cores for whom uses them. The peers take turns. mbt_gym
(https://github.com/JJJerome/mbt_gym) is patched in two ways: `gym`, which no longer works with numpy 2, is gymnasium
under its name, and its environment for SB3 answers with lists. Its midprice is a Brownian motion, ours a random walk of
the same variance. To 99 %: preset `avellaneda-stoikov` without skew,
mean-variance reward, graded as in benchmarks/against_sb3.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("stable-baselines3", "gymnasium", "cloudpickle", "farama-notifications", "scipy")
MBT_GYM = "https://github.com/JJJerome/mbt_gym"
CASES = (
    "simulate/mmrl",
    "simulate/mbt_gym",
    "on the clock/mmrl",
    "on the clock/mbt_gym",
    "train/mmrl",
    "train/sb3",
    "train/sb3 on mbt_gym",
    "train/plain",
    "to 99 %/mmrl",
    "to 99 %/sb3",
    "to 99 %/plain",
)
"""`simulate`, `on the clock`: the closed form plays 1 000 trajectories, steps/s. `train`: steps/s of rollouts and
learning together. The first of each kind is what the others are compared with."""


def environment(place: Path, mbt_gym: Path | None) -> tuple[str, dict[str, str]]:
    """Install the peers into a folder: the interpreter there, and by peer why it is missing."""
    missing = {}
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        (site,) = place.glob("lib/python*/site-packages")
        borrowed = [path for path in sys.path if path.endswith("site-packages")]
        (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    # without their dependencies, which are borrowed: torch alone would be gigabytes
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        missing["sb3"] = missing["mbt_gym"] = _last(done.stderr)
    target = place / "mbt_gym"
    if not target.exists():
        source = str(mbt_gym) if mbt_gym else MBT_GYM
        done = subprocess.run(
            ["git", "clone", "--quiet", "--depth", "1", source, str(target)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
        if done.returncode:
            missing["mbt_gym"] = f"git clone {source}: {_last(done.stderr)}"
    return str(python), missing


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def run(python: str, place: Path, case: str, steps: int) -> dict[str, float]:
    """One case in a process of its own."""
    alone = not case.startswith("on the clock")
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1") if alone else {}
    paths = os.pathsep.join((str(ROOT), str(place / "mbt_gym")))
    command = [python, "-W", "ignore", "-m", "benchmarks.peer_cases", case, str(steps)]
    variables = {**os.environ, **one, "PYTHONPATH": paths}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise RuntimeError(_last(done.stderr))
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Medians with the lowest and highest value, and how many times as good the first of each kind is, in its turns."""
    rows = []
    for case, values in found.items():
        kind = case.partition("/")[0]
        ours = found.get(next(c for c in CASES if c.startswith(kind)), [])
        unit = "s" if kind.startswith("to") else "steps/s"
        row = {"name": case, "value": statistics.median(values), "unit": unit, "low": min(values), "high": max(values)}
        pairs = list(zip(ours, values, strict=False))
        if pairs:
            row["mmrl is better by"] = statistics.median(b / a if unit == "s" else a / b for a, b in pairs)
        rows.append(row)
    return rows


def main() -> int:
    """Measure all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each case")
    parser.add_argument("--steps", type=int, default=4_000_000, help="of a training to 99 %% at most")
    parser.add_argument("--only", default="", help="a part of the names of cases")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--mbt-gym", type=Path, help="a clone of mbt_gym, instead of one from GitHub")
    parser.add_argument("--environment", type=Path, help="where to install the peers, and keep them")
    given = parser.parse_args()
    cases = [case for case in CASES if given.only in case]
    if given.rounds < 1 or given.steps < 100_000 or not cases:
        parser.error("--rounds must be at least 1, --steps at least 100000, --only a part of a case's name")
    found: dict[str, list[float]] = {case: [] for case in cases}
    with nullcontext(given.environment) if given.environment else tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        python, missing = environment(place, given.mbt_gym)
        for number in range(given.rounds):
            for case in cases:
                reason = next((why for peer, why in missing.items() if peer in case), "")
                if reason:
                    continue
                try:
                    found[case].append(run(python, place, case, given.steps)["value"])
                    print(f"turn {number + 1}: {case}: {found[case][-1]:,.4g}", file=sys.stderr, flush=True)
                except RuntimeError as error:
                    missing[case] = str(error)
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    rows = summary({case: values for case, values in found.items() if values})
    if given.json:
        print(json.dumps({"cases": rows, "missing": missing}))
        return 0
    print("| case | median | low | high | unit | mmrl is better by |\n|---|---|---|---|---|---|")
    for row in rows:
        numbers = " | ".join(f"{row[key]:,.4g}" for key in ("value", "low", "high"))
        print(f"| {row['name']} | {numbers} | {row['unit']} | {row.get('mmrl is better by', float('nan')):.3g} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
