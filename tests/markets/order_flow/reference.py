"""The order flow once more, slow and obvious: orders are objects in lists, every rate is summed anew at every event.

It shares nothing with the compiled law but the settings and the random numbers, which it draws in the same order.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from mmrl.kernels.random import poisson, seed_stream, uniform
from mmrl.markets.order_flow.settings import Settings

BID, ASK = 0, 1
SUBMIT, REDUCE, DELETE, EXECUTE = 1, 2, 3, 4
LIMIT, CANCEL, MARKET = 0, 1, 2
OTHERS, MAKER, TAKEN_BY_MAKER = 0, 1, 2
NO_PRICE = 9_999_999_999


@dataclass
class Order:
    number: int
    shares: int
    maker: bool
    price: int


class ReferenceMarket:
    """One market and its maker; `decide` and `live` are called in turns."""

    def __init__(self, settings: Settings, seed: int, epoch: int = 0, number: int = 0, tape_levels: int = 10) -> None:
        self.settings, self.tape_levels = settings, tape_levels
        self.stream = np.empty(4, np.uint64)
        seed_stream(self.stream, seed, epoch, number)
        self.mid_tick = round(settings.midprice / settings.tick)
        self.queues: list[dict[int, list[Order]]] = [{}, {}]
        self.owned: list[list[Order]] = [[], []]
        self.last = [self.mid_tick, self.mid_tick + 1]
        self.barren = [True, True]
        self.time, self.numbers = 0.0, 0
        self.cash = self.inventory = self.made = self.taken = 0
        self.revaluation = 0.0
        self.events = 0
        self.fills: list[tuple[int, int]] = []
        """(events of others before it, shares bought less sold)."""
        self.moves_by_event: list[tuple[int, int, float]] = []
        """(events of others before it, fills before it, ticks)."""
        self.struck: list[tuple[float, int, int]] = []
        """Events (time, kind, side) that excite others."""
        self.flows: list[tuple[float, int]] = []
        self.moves: list[tuple[float, float]] = []
        self.under_way: list[tuple[float, tuple[float, ...]]] = []
        self.tape: list[tuple[int, ...]] = []
        self.tape_times: list[float] = []
        self.tape_book: list[list[int]] = []
        self.recording = False
        self.seed()
        self.efficient = self.anchor = self.known_mid = self.mid
        self.live(settings.warm_up)
        self.forget_time()
        self.recording = True

    # The book.

    def orders(self, side: int) -> list[Order]:
        """All orders of a side, best price first, then by time."""
        prices = sorted(self.queues[side], reverse=side == BID)
        return [order for price in prices for order in self.queues[side][price]]

    def own(self, side: int) -> list[Order]:
        """The maker's orders, best price first, then by time."""
        self.owned[side] = [order for order in self.owned[side] if order.shares]
        return sorted(self.owned[side], key=lambda order: (order.price * (-1 if side == BID else 1), order.number))

    def others(self, side: int) -> int:
        """How many orders others have."""
        return sum(map(len, self.queues[side].values())) - len(self.own(side))

    def first(self, side: int, of_others: bool = False) -> Order | None:
        """The order that is filled first."""
        for price in sorted(self.queues[side], reverse=side == BID):
            for order in self.queues[side][price]:
                if not (of_others and order.maker):
                    return order
        return None

    def others_best(self, side: int) -> int:
        return self.last[side]

    def best(self, side: int) -> int:
        prices = [self.last[side]] + [order.price for order in self.own(side)]
        return max(prices) if side == BID else min(prices)

    @property
    def mid(self) -> float:
        return (self.last[BID] + self.last[ASK]) / 2

    def looked_after(self, side: int) -> None:
        """Keep the best price of the others: where they have none, a tick beyond their last price."""
        first = self.first(side, of_others=True)
        if first:
            self.last[side], self.barren[side] = first.price, False
        elif not self.barren[side]:
            self.last[side] += 1 if side == ASK else -1
            self.barren[side] = True

    def add(self, side: int, price: int, shares: int, maker: bool = False) -> None:
        order = Order(self.numbers, shares, maker, price)
        self.numbers += 1
        self.queues[side].setdefault(price, []).append(order)
        if maker:
            self.owned[side].append(order)
        self.looked_after(side)
        self.write(SUBMIT, order, shares, side, MAKER if maker else OTHERS)

    def shrink(self, side: int, order: Order, shares: int) -> None:
        order.shares -= shares
        if order.shares == 0:
            queue = self.queues[side][order.price]
            queue.remove(order)
            if not queue:
                del self.queues[side][order.price]
        self.looked_after(side)

    def withdraw(self, side: int, order: Order, shares: int) -> None:
        kind = DELETE if shares == order.shares else REDUCE
        self.shrink(side, order, shares)
        self.write(kind, order, shares, side, MAKER if order.maker else OTHERS)

    def take(self, side: int, shares: int, limit: float, by_maker: bool) -> int:
        taken = 0
        while taken < shares and (order := self.first(side)):
            if (order.price > limit) if side == ASK else (order.price < limit):
                break
            if order.maker and by_maker:
                self.withdraw(side, order, order.shares)
                continue
            k = min(order.shares, shares - taken)
            taken += k
            sign = 1 if side == BID else -1
            if order.maker:
                self.made += k
            elif by_maker:
                self.taken += k
                sign = -sign
            if order.maker or by_maker:
                self.inventory += sign * k
                self.cash -= sign * k * order.price
                if order.maker:
                    self.fills.append((self.events, sign * k))
            self.shrink(side, order, k)
            self.write(EXECUTE, order, k, side, MAKER if order.maker else TAKEN_BY_MAKER if by_maker else OTHERS)
        return taken

    def write(self, kind: int, order: Order, shares: int, side: int, owner: int) -> None:
        if self.recording:
            self.tape.append((kind, order.number, shares, order.price, 1 if side == BID else -1, owner))
            self.tape_times.append(self.time)
            self.tape_book.append(self.levels())

    def levels(self) -> list[int]:
        """The best levels as (ask price, shares, bid price, shares), and so on."""
        rows = [[NO_PRICE, 0, -NO_PRICE, 0] for _ in range(self.tape_levels)]
        for side in (BID, ASK):
            prices = sorted(self.queues[side], reverse=side == BID)[: self.tape_levels]
            for row, price in zip(rows, prices, strict=False):
                row[2 - 2 * side : 4 - 2 * side] = [price, sum(order.shares for order in self.queues[side][price])]
        return [number for row in rows for number in row]

    # The background.

    def draw(self) -> float:
        return float(uniform(self.stream))

    def queue(self, price: int) -> list[Order]:
        return self.queues[BID].get(price, []) + self.queues[ASK].get(price, [])

    def column(self, shares: int) -> int:
        return (
            min(math.ceil(shares / self.settings.unit), self.settings.queue_sizes) if self.settings.queue_sizes else 0
        )

    def row(self, table: tuple[float, ...], i: int, price: int) -> float:
        """Of a table by distance i = 0, 1, ... and size of the queue."""
        return table[i * self.settings.columns + self.column(sum(order.shares for order in self.queue(price)))]

    def market_rate(self, side: int) -> float:
        m = self.settings
        shares = sum(order.shares for order in self.queue(self.best(side)))
        if m.market_law == "table":
            return m.market_rates[self.column(shares)]
        spread, q = math.log(self.best(ASK) - self.best(BID)), math.log1p(shares / m.unit)
        b = m.market_intensity
        return math.exp(b[0] + b[1] * spread + b[2] * spread * spread + b[3] * q + b[4] * q * q + b[5] * spread * q)

    def excitation(self) -> list[float]:
        """By how much the rates of limit orders, cancellations and market orders on bids and asks are raised.

        The direct sum over all events so far, but for those that count less than exp(-40).
        """
        m, raised = self.settings, [0.0] * 6
        if not m.hawkes_decays:
            return raised
        self.struck = [event for event in self.struck if event[0] > self.time - 40 / min(m.hawkes_decays)]
        for e, decay in enumerate(m.hawkes_decays):
            faded = [0.0] * 6
            for when, cause, hit in self.struck:
                faded[2 * cause + hit] += decay * math.exp(-decay * (self.time - when))
            for (kind, side), (cause, hit) in itertools.product(itertools.product(range(3), (BID, ASK)), repeat=2):
                raised[2 * kind + side] += self.excited(e, kind, cause, hit == side) * faded[2 * cause + hit]
        return raised

    def excited(self, e: int, kind: int, cause: int, same_side: bool) -> float:
        """Events of a kind that one of another kind excites through an exponential."""
        m = self.settings
        if m.hawkes_kinds == "all":
            return m.hawkes_matrix[18 * e + 6 * kind + (cause if same_side else 3 + cause)]
        return (m.hawkes_same if same_side else m.hawkes_cross)[e] if kind == cause == MARKET else 0.0

    def strike(self, kind: int, side: int) -> None:
        """Remember an event if it excites others."""
        if self.settings.hawkes_kinds == "all" or kind == MARKET:
            self.struck.append((self.time, kind, side))

    def rates(self) -> list[float]:
        """Limit orders, cancellations, market orders against bids and asks, and the efficient price, up and down."""
        m = self.settings
        limit, cancel, market, drift = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.leaned = [1.0] * 4
        for side in (BID, ASK):
            near = 0
            for i in range(m.fitted):
                price = self.at_distance(side, i + 1)
                resting = sum(not order.maker for order in self.queue(price))
                limit[side] += self.row(m.limit_rates, i, price)
                cancel[side] += self.row(m.cancel_rates, i, price) * resting
                near += resting
            limit[side] += float(np.cumsum(m.far_rates)[-1]) if m.far_rates else 0.0
            cancel[side] += m.cancel_rates[-1] * (self.others(side) - near)
            market[side] = self.market_rate(side)
        if m.efficient_price != "none":
            lean = m.informed_share * math.tanh(m.informed * (self.efficient - self.mid))
            market = [market[BID] * (1 - lean), market[ASK] * (1 + lean)]
            if m.informed_orders == "all":  # a seller who knows better waits, and withdraws
                limit = [limit[BID] * (1 + lean), limit[ASK] * (1 - lean)]
                cancel = [cancel[BID] * (1 - lean), cancel[ASK] * (1 + lean)]
                self.leaned = [1 + lean, 1 - lean, 1 - lean, 1 + lean]
            away = 0.0
            if m.efficient_price == "ornstein-uhlenbeck":
                away = m.efficient_reversion / m.efficient_volatility**2 * (self.efficient - self.anchor)
            rate = m.efficient_volatility**2
            drift = [0.5 * rate * max(1 - away, 0.0), 0.5 * rate * max(1 + away, 0.0)]
        self.unexcited = [*limit, *cancel, *market]
        return [*(rate + more for rate, more in zip(self.unexcited, self.excitation(), strict=True)), *drift]

    def at_distance(self, side: int, i: int) -> int:
        return self.best(ASK) - i if side == BID else self.best(BID) + i

    def shares(self, law: str) -> int:
        """Of a limit or a market order."""
        m = self.settings
        mean, weights = (m.limit_size, m.limit_size_table) if law == "limit" else (m.market_size, m.market_size_table)
        if m.size_law == "constant":
            return int(mean)
        u = self.draw()
        if m.size_law == "geometric":
            return 1 + int(math.log(1 - u) / math.log1p(-1 / mean)) if mean > 1 else 1
        sums = np.cumsum(weights) / math.fsum(weights)
        return 1 + int(np.searchsorted(sums[:-1], u, "right"))

    def limit_order(self, side: int, r: float) -> None:
        m = self.settings
        for i in range(m.fitted):
            rate = self.row(m.limit_rates, i, self.at_distance(side, i + 1))
            if r < rate:
                break
            r -= rate
        else:
            i = m.fitted + int(np.searchsorted(np.cumsum(m.far_rates), r, "right"))
        self.add(side, self.at_distance(side, i + 1), self.shares("limit"))

    def cancellation(self, side: int, r: float) -> None:
        m, far = self.settings, self.orders(side)
        far = [order for order in far if not order.maker]
        for i in range(m.fitted):
            price = self.at_distance(side, i + 1)
            queue = [order for order in far if order.price == price]
            rate = self.row(m.cancel_rates, i, price)
            if r < rate * len(queue):
                chosen = queue[int(r / rate)]
                self.withdraw(side, chosen, chosen.shares)
                return
            r -= rate * len(queue)
            far = [order for order in far if order.price != price]
        if far:
            chosen = far[int(r / m.cancel_rates[-1])]
            self.withdraw(side, chosen, chosen.shares)

    def event(self, r: float) -> int:
        """The event on which r falls; returns how many others could see."""
        kind, rates = 0, self.rates()
        while kind < len(rates) and r >= rates[kind]:
            r -= rates[kind]
            kind += 1
        if kind == len(rates):
            return 0
        side = kind % 2
        if kind >= 6:
            self.efficient += 1 if side == 0 else -1
            return 0
        if kind >= 4:
            taken = self.take(side, self.shares("market"), math.inf if side == ASK else -math.inf, False)
            self.flow(side, taken)
        else:
            if rates[kind] > self.unexcited[kind]:  # excited events choose among prices and orders as all do
                r *= self.unexcited[kind] / rates[kind]
            r = r / self.leaned[kind] if self.leaned[kind] else 0.0
            if kind >= 2:
                self.cancellation(side, r)
            else:
                self.limit_order(side, r)
        self.strike(kind // 2, side)
        self.renew()
        self.settle()
        self.events += 1
        return 1

    def renew(self) -> None:
        """With depletion = "redraw": where a side has no order at all, all leave, the price moves, queues are drawn."""
        if self.settings.depletion != "redraw":
            return
        empty = [not self.queues[side] for side in (BID, ASK)]
        if not any(empty):
            return
        # of an empty side the last best price is known, but it counts a tick beyond
        ask = self.last[ASK] - 1 if empty[ASK] else self.best(ASK)
        if empty[ASK] and not empty[BID]:
            ask += 1
        if empty[BID] and not empty[ASK]:
            ask -= 1
        for side in (BID, ASK):
            for order in self.orders(side):
                self.withdraw(side, order, order.shares)
        self.draw_queues(ask)

    def draw_queues(self, ask: int) -> None:
        weights = self.settings.redraw_weights
        for side, price in ((BID, ask - 1), (ASK, ask)):
            u, total, count = self.draw(), math.fsum(weights), 1
            while count < len(weights) and u >= sum(weights[:count]) / total:
                count += 1
            for _ in range(count):
                self.add(side, price, self.shares("limit"))

    def live(self, end: float = math.inf, events: float = math.inf) -> None:
        seen = 0
        while seen < events:
            total = 0.0
            for rate in self.rates():
                total += rate
            stop = min([end] + [when for when, _ in self.under_way[:1]])
            waited = -math.log(1 - self.draw()) / total
            if self.time + waited < stop:
                self.time += waited
                seen += self.event(self.draw() * total)
            else:
                self.time = stop
                if not self.under_way or self.under_way[0][0] > stop:
                    return
                self.apply(self.under_way.pop(0)[1])

    def seed(self) -> None:
        m = self.settings
        if m.depletion == "redraw":
            self.draw_queues(self.mid_tick)
            return
        for side in (BID, ASK):
            for i in range(m.levels):
                far = np.cumsum(m.far_rates)
                rate = m.limit_rates[i * m.columns] if i < m.fitted else np.diff(far, prepend=0.0)[i - m.fitted]
                cancel = m.cancel_rates[(min(i, m.fitted - 1) + 1) * m.columns - 1]
                count = int(poisson(self.stream, float(rate / cancel) if cancel else 1.0, 1000))
                for _ in range(max(count, 1) if i == 0 else count):
                    self.add(side, self.mid_tick + i if side == ASK else self.mid_tick - 1 - i, self.shares("limit"))

    def forget_time(self) -> None:
        """The episode begins at time 0."""
        self.struck = [(when - self.time, kind, side) for when, kind, side in self.struck]
        self.flows = [(when - self.time, n) for when, n in self.flows]
        self.moves = [(when - self.time, n) for when, n in self.moves]
        self.time = 0.0

    def settle(self) -> None:
        if self.mid != self.known_mid:
            self.revaluation += self.inventory * (self.mid - self.known_mid)
            self.moves_by_event.append((self.events, len(self.fills), self.mid - self.known_mid))
            self.moves.append((self.time, self.mid - self.known_mid))
            self.known_mid = self.mid

    def flow(self, side: int, taken: int) -> None:
        self.flows.append((self.time, taken if side == ASK else -taken))

    def after_fills(self, horizon: int) -> float:
        """Ticks times shares: the moves of the mid in the first `horizon` events from each fill's own on."""
        return sum(
            shares * moved
            for k, (filled, shares) in enumerate(self.fills)
            for event, known, moved in self.moves_by_event
            if k < known and filled <= event < filled + horizon
        )

    # The maker.

    def decide(self, quote: tuple[float, ...], delay: float = 0.0) -> None:
        """What the maker wants from now on; `delay` must be drawn by the caller before the market lives on."""
        if delay == 0:
            self.apply(quote)
        elif len(self.under_way) < 16:
            last = max((when for when, _ in self.under_way), default=0.0)
            self.under_way.append((max(last, self.time + delay), quote))

    def apply(self, quote: tuple[float, ...]) -> None:
        m = self.settings
        if m.actions == "limit+market":
            for side, n in ((ASK, quote[-2]), (BID, quote[-1])):
                self.send_market(side, whole(n))
        wanted = self.apart([self.all_wanted(side, quote) for side in (BID, ASK)])
        new = [self.keep(side, wanted[side]) for side in (BID, ASK)]
        for side in (BID, ASK):
            for shares, price in new[side]:
                self.send_limit(side, shares, price)
        self.renew()
        self.settle()

    def all_wanted(self, side: int, quote: tuple[float, ...]) -> list[tuple[int, int]]:
        """Shares and price of each quote of a side, without those that could take it past the position limit."""
        found: list[tuple[int, int]] = []
        for k in range(self.settings.quotes):
            shares, price = self.wanted(side, quote[4 * k + 2 * side], quote[4 * k + 2 * side + 1])
            position = self.inventory if side == BID else -self.inventory
            if shares and position + sum(n for n, _ in found) + shares <= self.settings.position_limit:
                found.append((shares, price))
        return found

    def apart(self, wanted: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
        """Where bids and asks would meet both give way by as much, no more than they must."""
        if not (wanted[BID] and wanted[ASK]):
            return wanted
        bid, ask = max(price for _, price in wanted[BID]), min(price for _, price in wanted[ASK])
        while bid >= ask:
            bid, ask = bid - 1, ask + 1
        return [[(n, min(price, bid)) for n, price in wanted[BID]], [(n, max(price, ask)) for n, price in wanted[ASK]]]

    def keep(self, side: int, wanted: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Withdraw what is not wanted, shorten what is wanted shorter; returns what is wanted anew."""
        new = list(wanted)
        for order in self.own(side):
            fitting = [n for n, price in new if price == order.price and n <= order.shares]
            if fitting:
                new.remove((max(fitting), order.price))
            if max(fitting, default=0) < order.shares:
                self.withdraw(side, order, order.shares - max(fitting, default=0))
                self.strike(CANCEL, side)
        return new

    def close(self) -> None:
        """The end: orders are withdrawn, the position is traded away; what this moves counts for no fill."""
        self.final_parts = [self.after_fills(horizon) for horizon in (1, 10, 100)]
        if self.settings.depletion == "redraw":
            return
        for side in (BID, ASK):
            for own in self.own(side):
                self.withdraw(side, own, own.shares)
                self.strike(CANCEL, side)
        self.settle()
        if self.inventory:
            side = BID if self.inventory > 0 else ASK
            taken = self.take(side, abs(self.inventory), math.inf if side == ASK else -math.inf, True)
            if taken:
                self.strike(MARKET, side)
                self.flow(side, taken)
            self.settle()

    def send_market(self, side: int, shares: int) -> None:
        position = shares + (self.inventory if side == ASK else -self.inventory)
        if shares and position <= self.settings.position_limit:
            taken = self.take(side, shares, math.inf if side == ASK else -math.inf, True)
            if taken:
                self.strike(MARKET, side)
                self.flow(side, taken)
            self.settle()

    def wanted(self, side: int, n: float, delta: float) -> tuple[int, int]:
        m = self.settings
        shares = whole(n)
        ticks = delta / m.tick
        if m.distance_from == "mid":
            price = math.floor(self.mid - ticks + 1e-7) if side == BID else math.ceil(self.mid + ticks - 1e-7)
        else:
            price = self.last[side] + (-1 if side == BID else 1) * math.floor(ticks + 0.5)
        if m.depletion == "redraw":
            price = self.best(side)
        if m.post_only:
            price = min(price, self.last[ASK] - 1) if side == BID else max(price, self.last[BID] + 1)
        return shares, price

    def send_limit(self, side: int, shares: int, price: int) -> None:
        taken = 0
        if not self.settings.post_only:
            taken = self.take(1 - side, shares, price, True)
            if taken:
                self.strike(MARKET, 1 - side)
                self.flow(1 - side, taken)
        if taken < shares:
            self.add(side, price, shares - taken, True)
            self.strike(LIMIT, side)
        self.settle()

    def observation(self, steps_left: float) -> list[float]:
        """The columns of the spec."""
        m = self.settings

        def others(side: int, price: int) -> int:
            return sum(order.shares for order in self.queues[side].get(price, []) if not order.maker)

        q = [others(side, self.last[side]) for side in (BID, ASK)]
        columns: list[float] = [(q[0] - q[1]) / max(sum(q), 1), self.last[ASK] - self.last[BID]]
        for side, out in ((BID, -1), (ASK, 1)):
            columns += [others(side, self.last[side] + out * i) for i in range(m.depth)]
        for horizon in m.horizons:
            for happened in (self.flows, self.moves):
                columns.append(sum(n * math.exp((when - self.time) / horizon) for when, n in happened))
        for side, out in ((BID, -1), (ASK, 1)):
            for order in self.own(side):
                queue = self.queues[side][order.price]
                ahead = sum(other.shares for other in queue[: queue.index(order)])
                columns += [order.shares, (order.price - self.last[side]) * out, ahead]
            columns += [0, 0, 0] * (m.quotes - len(self.own(side)))
        return [*columns, self.inventory, steps_left]


def whole(n: float) -> int:
    return math.floor(n + 0.5) if n >= 0.5 else 0
