"""Compare a trained run with classical agents and the exact optimum.

python examples/evaluate.py [TRAJECTORIES]
"""

import sys

import mmrl

trajectories = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
found = mmrl.evaluate("good-results/avellaneda-stoikov-ppo", "optimum", "symmetric", trajectories=trajectories)
print(found)
for row in found:
    print(f"{row['agent']}: {100 * row['optimality']:.2f} % of the optimum")
