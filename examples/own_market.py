"""Train in a market of one's own, here the toy of docs/add-a-market.md.

pip install -e tests/toy
python examples/own_market.py [EPOCHS]
"""

import sys

import mmrl

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
if "toy" not in mmrl.markets():
    sys.exit("the toy market is not installed: pip install -e tests/toy")
market = mmrl.markets()["toy"]
print(f"{market.name} shows {', '.join(column.name for column in market.columns)}")
for epoch in mmrl.train(mmrl.Config.of(market="toy", nt=50, nb=50, ne=epochs, pace=1.0)):
    print(f"epoch {epoch.number}: mean value {epoch['value_mean']:.2f}")
