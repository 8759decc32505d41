"""One gradient of the policy over many rows in one kernel, for learning on CUDA.

The loss is that of `compiled_pass`, a row a thread. A block of threads takes as many rows at a time: their activations
lie in its shared memory, unit by unit, so that threads read neighbouring words both where each has a row (forward, and
back through a layer) and where each has some weights (their gradients, summed over the rows). Each block sums its rows
in a fixed order and writes its sums once, so the result is the same every time.

Legend: R rows and threads of a block, P weights, A action dimensions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import cuda, float32
from torch import Tensor

from mmrl.kernels.cuda_network import back, layer, products
from mmrl.kernels.cuda_numpy import SIMULATED, complete_numpy
from mmrl.learn.compiled_pass import Block, Loss, Rows, Sums, Weights, _categorical_head, _gaussian_head

SHARED = 48 * 1024
"""Bytes that a block may have of every device."""
THREADS = (128, 64, 32)
"""Of a block, as many as its shared memory allows."""
REGISTERS = 128
"""Of a thread, at most: none has to be put into memory, and `BLOCKS` fit."""
BLOCKS = 4
"""Of a multiprocessor, so that some work while others wait."""


def threads_for(sizes: tuple[int, ...], weights: int) -> int:
    """Threads of a block for a network of these layers; 0 where it is too large for this kernel."""
    return next((r for r in THREADS if _shared(sizes, weights, r) <= SHARED), 0)


def _shared(sizes: tuple[int, ...], weights: int, threads: int) -> int:
    return 4 * (weights + sum(sizes) * (threads + 1))


def gradient(rows: Rows, order: Tensor | None, flat: Tensor, sizes: tuple[int, ...], loss: Loss) -> Sums:
    """What `compiled_pass.gradient` gives, in float64 on the device: `rows`, `order` (None: all rows), the network's
    numbers `flat` and the arrays of `loss` are tensors there."""
    count, device = len(rows.log_prob if order is None else order), flat.device
    threads = threads_for(sizes, len(flat))
    blocks = min(-(-count // threads), BLOCKS * _processors(device))
    log_std: Any = loss.log_std
    axes, gaussian = rows.action.shape[1], len(loss.groups) == 0
    partial = flat.new_empty((blocks, len(flat)))
    sums = flat.new_empty((blocks * threads, 4 + axes), dtype=torch.float64)
    handed = (_handed(rows), _handed(order if order is not None else _none(device)), count)
    network: Any = Weights
    network = _handed(network(flat, _sizes(sizes, device)))
    outputs = (_handed(partial), _handed(sums))
    kernel = kernel_of(axes, sizes[-1], gaussian)
    kernel[blocks, threads, 0, _shared(sizes, len(flat), threads)](
        *handed, network, _handed(loss), _handed(log_std.double().neg().exp()), *outputs
    )
    totals = sums.sum(0)
    return Sums(policy=partial.double().sum(0), log_std=totals[4:], totals=totals[:4])  # type: ignore[arg-type]


def _handed(given: Any) -> Any:
    """Tensors as numba takes them, alone or in a NamedTuple beside numbers; on a host, where kernels are simulated,
    arrays."""
    if isinstance(given, tuple):
        return type(given)(*map(_handed, given))  # type: ignore[call-arg]
    if not isinstance(given, Tensor):
        return given
    return cuda.as_cuda_array(given) if given.is_cuda else given.detach().numpy()


@cache
def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1


@cache
def _sizes(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(sizes, dtype=torch.int64, device=device)


@cache
def _none(device: torch.device) -> Tensor:
    return torch.empty(0, dtype=torch.int64, device=device)


@cache
def kernel_of(axes: int, outputs: int, gaussian: bool) -> Any:
    """The kernel of policies with so many action dimensions and outputs, compiled at its first call."""

    def gradient_pass(rows, order, count, network, loss, inverse_std, partial, sums):  # type: ignore[no-untyped-def]
        shared = cuda.shared.array(0, float32)  # type: ignore[attr-defined]
        means = cuda.local.array((outputs, 1), np.float32)  # type: ignore[attr-defined]
        delta = cuda.local.array((outputs, 1), np.float32)  # type: ignore[attr-defined]
        action = cuda.local.array((axes, 1), np.float32)  # type: ignore[attr-defined]
        old = cuda.local.array(1, np.float64)  # type: ignore[attr-defined]
        advantage = cuda.local.array(1, np.float64)  # type: ignore[attr-defined]
        log_prob = cuda.local.array(1, np.float64)  # type: ignore[attr-defined]
        slope = cuda.local.array(1, np.float64)  # type: ignore[attr-defined]
        totals = cuda.local.array(4, np.float64)  # type: ignore[attr-defined]
        log_std = cuda.local.array(axes, np.float64)  # type: ignore[attr-defined]
        block = Block(action, old, advantage, log_prob, slope)
        flat, sizes = network.flat, network.sizes
        own = Sums(shared, log_std, totals)
        thread, threads = cuda.threadIdx.x, cuda.blockDim.x  # type: ignore[attr-defined]
        stride, weights, layers = threads + 1, flat.size, sizes.size - 1
        for k in range(4):
            totals[k] = 0.0
        for a in range(axes):
            log_std[a] = 0.0
        for k in range(thread, weights, threads):
            shared[k] = np.float32(0.0)
        for start in range(cuda.blockIdx.x * threads, count, cuda.gridDim.x * threads):  # type: ignore[attr-defined]
            at = start + thread
            lived = at < count
            row = at
            if lived and order.size > 0:
                row = order[at]
            for i in range(sizes[0]):
                shared[weights + i * stride + thread] = rows.observation[row, i] if lived else np.float32(0.0)
            # forward, each thread its row
            w, base = 0, weights + thread
            for k in range(layers):
                n_in, n_out = sizes[k], sizes[k + 1]
                into = base + n_in * stride
                layer(flat, w, n_in, n_out, shared, base, into, stride, k + 1 < layers)
                w, base = w + (n_in + 1) * n_out, into
            for j in range(outputs):
                total = shared[base + j * stride]
                for i in range(sizes[0]):
                    total += flat[w + j * sizes[0] + i] * shared[weights + i * stride + thread]
                means[j, 0] = total
            # the loss, and its gradient by the outputs in their place
            for j in range(outputs):
                delta[j, 0] = np.float32(0.0)
            if lived:
                old[0], advantage[0] = rows.log_prob[row], rows.advantage[row]
                for a in range(axes):
                    action[a, 0] = rows.action[row, a]
                if gaussian:
                    _gaussian_head(means, inverse_std, loss, block, 1, delta, own)
                else:
                    _categorical_head(means, loss, block, 1, delta, totals)
            for j in range(outputs):
                shared[base + j * stride] = delta[j, 0]
            cuda.syncthreads()  # type: ignore[attr-defined]
            products(shared, base - thread, outputs, weights, sizes[0], stride, w, thread, threads)
            # back, layer by layer: the gradients of its weights, then by its inputs in their place
            for k in range(layers - 1, -1, -1):
                n_in, n_out = sizes[k], sizes[k + 1]
                w -= (n_in + 1) * n_out
                below = base - n_in * stride
                products(shared, base - thread, n_out, below - thread, n_in, stride, w, thread, threads)
                for j in range(thread, n_out, threads):
                    total = np.float32(0.0)
                    for r in range(threads):
                        total += shared[base - thread + j * stride + r]
                    shared[w + n_in * n_out + j] += total
                cuda.syncthreads()  # type: ignore[attr-defined]
                if k > 0:
                    back(flat, w, n_in, n_out, shared, base, below, stride)
                    cuda.syncthreads()  # type: ignore[attr-defined]
                base = below
        for k in range(thread, weights, threads):
            partial[cuda.blockIdx.x, k] = shared[k]  # type: ignore[attr-defined]
        number = cuda.grid(1)  # type: ignore[attr-defined]
        for k in range(4):
            sums[number, k] = totals[k]
        for a in range(axes):
            sums[number, 4 + a] = log_std[a]

    if SIMULATED:
        return cuda.jit(gradient_pass)
    complete_numpy()
    return cuda.jit(gradient_pass, max_registers=REGISTERS)  # type: ignore[call-arg]
