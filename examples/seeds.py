"""One training over several seeds: what is chance, and what is not.

python examples/seeds.py [EPOCHS] [SEEDS]
"""

import statistics
import sys

import mmrl

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
grades = []
for seed in range(seeds):
    config = mmrl.Config.of("avellaneda-stoikov", nb=50, ne=epochs, seed=seed)
    *_, last = mmrl.train(config)
    grades.append(100 * last["optimality"])
    print(f"seed {seed}: {grades[-1]:.2f} % of the optimum")
print(f"mean {statistics.mean(grades):.2f} %, standard deviation {statistics.stdev(grades):.2f} %")
