"""Compiled rollouts: policy, market, reward and records of a range of trajectories in one kernel per market.

Rows of consecutive trajectories are written without gaps. Records `money[6, rows]` are reward, value,
mid, bid, ask, wealth; `ints[2, rows]` are step and inventory; final columns are value, wealth, mid.
"""

import math

import numpy as np

from mmrl.kernels import reward as utilities
from mmrl.kernels.jit import kernel, law
from mmrl.kernels.network import forward
from mmrl.kernels.random import normal, poisson, seed_stream, uniform
from mmrl.markets.avellaneda_stoikov import dynamics as game
from mmrl.markets.book import dynamics as book_market
from mmrl.markets.book.dynamics import CASH, INVENTORY, P_BASE, P_TICK, R_DISCARD, R_LEVELS, R_NT, R_UNIFORM
from mmrl.markets.book.order_book import ASK, BEST, BID, META, OWN, SIDE_TOTAL, TOTAL
from mmrl.rollout.quoters import CATEGORICAL, FIXED, GAUSSIAN, NAIVE, TABLE

# Reward vector.
W_SCALE, W_PNL, W_SIGN, W_SIGN_RATE, W_TIME, W_PENALTY, W_FINAL, W_RISK, W_ALPHA, W_ALWAYS = range(10)
W_UTILITY, W_GAMMA, W_VARIANCE, W_DAMPING, W_SIZE_PENALTY, W_FINAL_PENALTY = range(10, 16)
REWARD, VALUE, MID, BEST_BID, BEST_ASK, WEALTH = range(6)
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@law
def _sample(kind, flat, sizes, head, groups, scale, hidden, state, deterministic, action, market_action):
    """Draw an action of the learned policy; fills `action` (policy units) and `market_action`.

    head: float32 log_std[A]; groups: int64[A] choices per dimension (categorical); scale: float64[A, K],
    (centre, scale) for a gaussian or the grid for a categorical. Returns the log-probability.
    """
    row = forward(flat, sizes, hidden)
    log_prob = 0.0
    if kind == GAUSSIAN:
        for a in range(action.shape[0]):
            noise = 0.0 if deterministic else normal(state)
            sd = math.exp(np.float64(head[a]))
            action[a] = np.float32(np.float64(hidden[row, a]) + sd * noise)
            market_action[a] = scale[a, 0] + scale[a, 1] * np.float64(action[a])
            log_prob -= 0.5 * noise * noise + np.float64(head[a]) + _HALF_LOG_2PI
        return log_prob
    start = 0
    for a in range(action.shape[0]):
        best = start
        for j in range(start, start + groups[a]):
            if hidden[row, j] > hidden[row, best]:
                best = j
        top = np.float64(hidden[row, best])
        total = 0.0
        for j in range(start, start + groups[a]):
            total += math.exp(np.float64(hidden[row, j]) - top)
        choice = best
        if not deterministic:
            u = uniform(state) * total
            choice = start
            while choice < start + groups[a] - 1:
                u -= math.exp(np.float64(hidden[row, choice]) - top)
                if u < 0.0:
                    break
                choice += 1
        log_prob += np.float64(hidden[row, choice]) - top - math.log(total)
        action[a] = choice - start
        market_action[a] = scale[a, choice - start]
        start += groups[a]
    return log_prob


@law
def _normalise(raw, mean, std, hidden, out, row):
    for j in range(raw.shape[0]):
        x = (raw[j] - mean[j]) / std[j]
        x = min(max(x, np.float32(-10.0)), np.float32(10.0))
        hidden[0, j] = x
        out[row, j] = x


@law
def _utility(w, psi, exposed, d_mid, held, dt):
    code = w[W_UTILITY]
    if code == 1.0:
        return utilities.linear(psi)
    if code == 3.0:
        return utilities.mean_variance(psi, held, w[W_GAMMA], w[W_VARIANCE], dt)
    if code == 4.0:
        return utilities.inventory_penalty(psi, held, w[W_PENALTY], dt)
    if code == 5.0:
        return utilities.damped(psi, exposed, d_mid, w[W_DAMPING])
    if code == 6.0:
        return utilities.damped_symmetric(psi, exposed, d_mid, w[W_DAMPING])
    if code == 7.0:
        return utilities.guo_lin_huang(psi, exposed, d_mid, held, w[W_DAMPING], w[W_SIZE_PENALTY])
    if code == 8.0:
        return utilities.entropic(psi, exposed, d_mid, held, w[W_GAMMA], w[W_VARIANCE], dt)
    return 0.0


@law
def _step_reward(w, d_wealth, d_value, d_inventory, inventory, exposed, d_mid, time_left, time, dt):
    if w[W_UTILITY] > 0.0:
        r = _utility(w, d_value, exposed, d_mid, inventory, dt)
    else:
        r = w[W_SCALE] * d_wealth + w[W_PNL] * d_value - w[W_PENALTY] * inventory * inventory * dt
    if w[W_SIGN] > 0.0 and d_inventory != 0:
        weight = math.exp(-w[W_SIGN_RATE] * time_left)
        r += weight if d_inventory > 0 else -weight
    return r + w[W_TIME] * time


@law
def _final_reward(w, value, inventory, early):
    r = -w[W_FINAL_PENALTY] * inventory * inventory
    if w[W_FINAL] == 0.0 or (early and w[W_ALWAYS] == 0.0):
        return r
    if w[W_FINAL] == 1.0:
        return r + value
    return r + utilities.cara(value, w[W_RISK], w[W_ALPHA])


@law
def _note_levels(ladder, meta, known, changes, at, t):
    """Append (t, level, shares, the maker's own) of every level that is not as `known`; returns the new length.

    Shares to sell count below zero. What finds no room is left out, and noticed by whoever asked for the changes.
    """
    top = meta[BEST + BID] if meta[SIDE_TOTAL + BID] > 0 else np.int64(-1)
    for level in range(ladder.shape[0]):
        shares = ladder[level, TOTAL] if level <= top else -ladder[level, TOTAL]
        if shares == known[level, 0] and ladder[level, OWN] == known[level, 1]:
            continue
        known[level, 0] = shares
        known[level, 1] = ladder[level, OWN]
        if at < changes.shape[0]:
            changes[at, 0] = t
            changes[at, 1] = level
            changes[at, 2] = shares
            changes[at, 3] = ladder[level, OWN]
        at += 1
    return at


@kernel
def book_rollout(
    rules, p, w, kind, deterministic, flat, sizes, head, groups, scale, mean, std, constant, table,
    n_obs, extras, lot_count, every, changes, seed, epoch, first, count,
    lengths, ints, observation, actions, log_prob, money, final, final_inventory, terminated, last,
):  # fmt: skip
    """Roll out `count` trajectories of the book market from number `first`; returns the rows written.

    With room in `changes` [M, 4] the book is noted there at every `every`-th step after the action: see _note_levels.
    """
    nt = rules[R_NT]
    reach = (table.shape[1] - 1) // 2
    obs = last.shape[1]
    ladder = np.empty((rules[R_LEVELS], 4), np.int64)
    lots = np.empty((lot_count, 3), np.int64)
    meta = np.zeros(META, np.int64)
    account = np.zeros(2, np.int64)
    state = np.empty(4, np.uint64)
    seen = np.zeros(4, np.float64)
    raw = np.zeros(obs, np.float32)
    widest = np.int64(obs)
    for i in range(sizes.shape[0]):
        widest = max(widest, sizes[i])
    hidden = np.zeros((2, widest), np.float32)
    action = np.zeros(actions.shape[1], np.float32)
    quote = np.zeros(4, np.float64)
    noted = np.int64(0)
    known = np.zeros((rules[R_LEVELS] if changes.shape[0] > 0 else 0, 2), np.int64)
    tick = p[P_TICK]
    dt = p[book_market.P_DT]
    at = 0
    for trajectory in range(count):
        seed_stream(state, seed, epoch, first + trajectory)
        mid = book_market.seed(ladder, lots, meta, rules, p, state, account)
        base_mid = mid
        raw[:] = 0.0
        start = at
        over = False
        for t in range(nt + 1):
            book_market.observe(ladder, lots, meta, rules, p, mid, seen)
            for j in range(4 * n_obs - 1, 3, -1):
                raw[j] = raw[j - 4]
            for j in range(4):
                raw[j] = seen[j]
            raw[4 * n_obs] = (nt - t) / nt
            cash = account[CASH]
            inventory = account[INVENTORY]
            wealth = cash * tick
            value = (cash + inventory * (mid + p[P_BASE])) * tick
            if extras > 0:
                raw[4 * n_obs + 1] = inventory
            if extras > 1:
                raw[4 * n_obs + 2] = (mid - base_mid) * tick
                raw[4 * n_obs + 3] = wealth
            if t == nt or over:
                _normalise(raw, mean, std, hidden, last, trajectory)
                break
            _normalise(raw, mean, std, hidden, observation, at)
            if kind == FIXED:
                for a in range(4):
                    action[a] = constant[a]
                    quote[a] = constant[a]
                log_p = 0.0
            elif kind == TABLE:  # its rows are spread over the trajectory
                row = t * table.shape[0] // nt
                column = min(max(inventory, -reach), reach) + reach
                for a in range(4):
                    quote[a] = table[row, column, a]
                    action[a] = quote[a]
                log_p = 0.0
            elif kind == NAIVE:
                for a in range(0, 4, 2):
                    shown = book_market.shown(ladder, meta, rules, a // 2, seen[a])
                    quote[a] = poisson(state, 0.75 * shown, book_market.MAX_SHARES)
                    quote[a + 1] = seen[a + 1] * (1.0 + 0.25 * normal(state))
                    action[a] = quote[a]
                    action[a + 1] = quote[a + 1]
                log_p = 0.0
            else:
                log_p = _sample(kind, flat, sizes, head, groups, scale, hidden, state, deterministic, action, quote)
            before = mid
            book_market.act(ladder, lots, meta, rules, p, account, mid, quote)
            bid = meta[BEST + BID] if meta[SIDE_TOTAL + BID] > 0 else mid
            ask = meta[BEST + ASK] if meta[SIDE_TOTAL + ASK] > 0 else mid
            if changes.shape[0] > 0 and t % every == 0:
                noted = _note_levels(ladder, meta, known, changes, noted, t)
            gone = rules[R_DISCARD] != 0 and rules[R_UNIFORM] == 0 and book_market.empty(meta)
            if not gone:
                mid = book_market.advance(ladder, lots, meta, rules, p, state, account, mid)
                over = rules[R_UNIFORM] == 0 and book_market.empty(meta)
                gone = over and rules[R_DISCARD] != 0
            if gone:  # lineage: the step that empties the book leaves no trace
                account[CASH] = cash
                account[INVENTORY] = inventory
                over = True
                _normalise(raw, mean, std, hidden, last, trajectory)
                break
            d_inventory = account[INVENTORY] - inventory
            d_wealth = (account[CASH] - cash) * tick
            new_value = (account[CASH] + account[INVENTORY] * (mid + p[P_BASE])) * tick
            held = np.float64(account[INVENTORY])
            ints[0, at] = t
            ints[1, at] = inventory
            for a in range(4):
                actions[at, a] = action[a]
            log_prob[at] = log_p
            money[REWARD, at] = _step_reward(
                w, d_wealth, new_value - value, d_inventory, held, np.float64(inventory), (mid - before) * tick,
                (nt - t) * dt, t * dt, dt,
            )  # fmt: skip
            money[VALUE, at] = value
            money[MID, at] = (before + p[P_BASE]) * tick
            money[BEST_BID, at] = (bid + p[P_BASE]) * tick
            money[BEST_ASK, at] = (ask + p[P_BASE]) * tick
            money[WEALTH, at] = wealth
            at += 1
        final[trajectory, 0] = (account[CASH] + account[INVENTORY] * (mid + p[P_BASE])) * tick
        final[trajectory, 1] = account[CASH] * tick
        final[trajectory, 2] = (mid + p[P_BASE]) * tick
        final_inventory[trajectory] = account[INVENTORY]
        terminated[trajectory] = over
        lengths[trajectory] = at - start
        if at > start:
            # a side that empties in the very last step does not end the episode before its time
            money[REWARD, at - 1] += _final_reward(
                w, final[trajectory, 0], np.float64(account[INVENTORY]), over and at - start < nt
            )
    return at


@kernel
def game_rollout(
    p, w, kind, deterministic, flat, sizes, head, groups, scale, mean, std, constant, table,
    seed, epoch, first, count,
    lengths, ints, observation, actions, log_prob, money, final, final_inventory, terminated, last,
):  # fmt: skip
    """Roll out `count` trajectories of the Avellaneda-Stoikov game from number `first`; returns the rows."""
    nt = np.int64(p[game.A_NT])
    dt = p[game.A_DT]
    reach = (table.shape[1] - 1) // 2
    state = np.empty(4, np.uint64)
    raw = np.zeros(2, np.float32)
    widest = np.int64(2)
    for i in range(sizes.shape[0]):
        widest = max(widest, sizes[i])
    hidden = np.zeros((2, widest), np.float32)
    action = np.zeros(2, np.float32)
    quote = np.zeros(2, np.float64)
    at = 0
    for trajectory in range(count):
        seed_stream(state, seed, epoch, first + trajectory)
        mid = p[game.A_MID]
        q = np.int64(game.start_inventory(np.int64(p[game.A_START]), first + trajectory))
        wealth = -q * mid
        for t in range(nt):
            raw[0] = q
            raw[1] = (nt - t) / nt
            _normalise(raw, mean, std, hidden, observation, at)
            log_p = 0.0
            if kind == GAUSSIAN or kind == CATEGORICAL:
                log_p = _sample(kind, flat, sizes, head, groups, scale, hidden, state, deterministic, action, quote)
                if kind == GAUSSIAN:
                    quote[0] += scale[0, 2] * q
                    quote[1] -= scale[1, 2] * q
            else:
                for a in range(2):
                    quote[a] = constant[a] if kind == FIXED else table[t, min(max(q, -reach), reach) + reach, a]
                    action[a] = quote[a]
            before, held, paid = mid, q, wealth
            bid, ask, mid = game.step(p, state, mid, quote[0], quote[1])
            if bid:
                wealth -= before - quote[0]
                q += 1
            if ask:
                wealth += before + quote[1]
                q -= 1
            value = paid + held * before
            ints[0, at] = t
            ints[1, at] = held
            for a in range(2):
                actions[at, a] = action[a]
            log_prob[at] = log_p
            time = t * dt
            money[REWARD, at] = _step_reward(
                w, wealth - paid, wealth + q * mid - value, q - held, np.float64(q), np.float64(q), mid - before,
                p[game.A_HORIZON] - time, time, dt,
            )  # fmt: skip
            money[VALUE, at] = value
            money[MID, at] = before
            money[BEST_BID, at] = before - quote[0]
            money[BEST_ASK, at] = before + quote[1]
            money[WEALTH, at] = paid
            at += 1
        raw[0] = q
        raw[1] = 0.0
        _normalise(raw, mean, std, hidden, last, trajectory)
        final[trajectory, 0] = wealth + q * mid
        final[trajectory, 1] = wealth
        final[trajectory, 2] = mid
        final_inventory[trajectory] = q
        terminated[trajectory] = False
        lengths[trajectory] = nt
        money[REWARD, at - 1] += _final_reward(w, final[trajectory, 0], np.float64(q), False)
    return at
