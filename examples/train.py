"""Train a market maker in a few lines; nothing is written to disk.

python examples/train.py [EPOCHS]
"""

import sys

import mmrl

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
config = mmrl.Config.of("avellaneda-stoikov", nb=100, ne=epochs)
for epoch in mmrl.train(config):  # results="results" keeps the run there
    print(
        f"epoch {epoch.number}: mean value {epoch['value_mean']:.2f}, {100 * epoch['optimality']:.2f} % of the optimum"
    )
print(epoch.policy.quote(inventory=3, time_left=0.5))
