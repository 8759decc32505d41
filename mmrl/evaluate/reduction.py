"""Rows of trajectories reduced to a few numbers each, in one pass of compiled code."""

from mmrl.kernels.jit import kernel

STEPS, SPREAD, INVENTORY, SQUARES, FILLS, REVALUATION, DRAWDOWN = range(7)
COLUMNS = 7


@kernel
def reduce(
    offsets, inventory, mid, bid, ask, wealth, value,
    final_value, final_wealth, final_inventory, final_mid, exposed_after, out,
):  # fmt: skip
    """Fill out [N, COLUMNS] from rows [nnz] and ends [N].

    Fills: the ask sold s and the bid bought b shares, where b - s is the change of inventory and s ask - b bid that of
    cash; exact wherever trades happen at the best quotes.
    """
    for n in range(offsets.size - 1):
        top = -1e300
        fall = 0.0
        for k in range(offsets[n], offsets[n + 1]):
            last = k + 1 == offsets[n + 1]
            held = final_inventory[n] if last else inventory[k + 1]
            next_mid = final_mid[n] if last else mid[k + 1]
            cash = (final_wealth[n] if last else wealth[k + 1]) - wealth[k]
            spread = ask[k] - bid[k]
            change = held - inventory[k]
            out[n, STEPS] += 1.0
            out[n, SPREAD] += spread
            out[n, INVENTORY] += abs(inventory[k])
            out[n, SQUARES] += float(held) * float(held)
            out[n, REVALUATION] += (held if exposed_after else inventory[k]) * (next_mid - mid[k])
            if change != 0 or cash != 0.0:
                traded = abs(change)
                if spread > 1e-12:
                    sold = round((cash + change * bid[k]) / spread)
                    traded = max(traded, abs(sold) + abs(sold + change))
                elif change == 0:
                    traded = 2
                out[n, FILLS] += traded
            top = max(top, value[k])
            fall = max(fall, top - value[k])
        out[n, DRAWDOWN] = max(fall, top - final_value[n])
