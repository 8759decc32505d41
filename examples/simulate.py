"""Trajectories of a trained maker as numpy arrays, and its first quotes in an order book.

python examples/simulate.py [TRAJECTORIES]
"""

import sys

import mmrl

trajectories = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
batch = mmrl.simulate("good-results/avellaneda-stoikov-ppo", trajectories=trajectories, seed=1)
inventory, alive = batch.to_dense("inventory")  # [N, T], and which steps there were
print(f"{batch.count} trajectories of {inventory.shape[1]} steps: mean wealth {batch.final_value.mean():.2f}")
print(f"mean spread {(batch.ask - batch.bid).mean():.2f}, standard deviation of inventory {inventory[alive].std():.2f}")

tick = 0.01
bid, ask = (round(float(quote[0]) / tick) for quote in (batch.bid, batch.ask))
book = mmrl.LimitOrderBook(bid - 100, ask + 100)  # prices are whole numbers of ticks
book.bid(5, bid - 1)
book.ask(5, ask + 1)
book.bid(2, bid, "maker")
book.ask(2, ask, "maker")
sold = book.sell(3)  # a market order: the maker's two shares, and one a tick below
bought = book.buy(1)
print(f"{sold} shares sold, {bought} bought: the maker holds {book.inventory} and has {tick * book.cash:.2f} in cash")
print(f"best bid {book.best('bid')}, best ask {book.best('ask')}")
