"""The runs of a folder: how far each has come, and what the best of them quotes.

python examples/runs.py [FOLDER]
"""

import sys

import mmrl

found = mmrl.runs(sys.argv[1] if len(sys.argv) > 1 else "good-results")
for run in found:
    print(f"{run.name}: {run.market}, {run.state}, epoch {run.epoch} of {run.target}")
graded = [(run.optimality, run.name, run) for run in found if run.optimality is not None]  # the optimum is known
if graded:
    optimality, name, run = max(graded)
    print(f"{name} is at {100 * optimality:.2f} % of the optimum and quotes {mmrl.load(run).quote(inventory=3)}")
