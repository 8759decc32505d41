"""The gaussian policy of eight trajectories side by side, in vectors: to the last bit what `mmrl.kernels.sampling` and
`mmrl.kernels.random` make of each of them alone.

Rows of eight numbers, one a trajectory. Numba's simulator of CUDA and NUMBA_DISABLE_JIT take the loops.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from mmrl.kernels.instructions import INT, LANES, Writer, written
from mmrl.kernels.jit import inlined
from mmrl.kernels.play import CLIP
from mmrl.kernels.random import INV53, LAYER_MASK, LAYERS, layer_of, normal_slow, stepped
from mmrl.kernels.sampling import HALF_LOG_2PI, normalised
from mmrl.kernels.turning import rows_of, take_pairs

_DOUBLES, _WORDS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(INT, LANES)


def _number(x: float) -> Any:
    return ir.Constant(_DOUBLES, [float(x)] * LANES)


def _word(x: int) -> Any:
    return ir.Constant(_WORDS, [x] * LANES)


@intrinsic
def _step_in_vectors(typing: Any, rng: Any, layer: Any, u: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        streams, layers, numbers = rows_of(context, builder, signature, values)

        def rotated(word: Any, by: int) -> Any:
            return builder.or_(builder.shl(word, _word(by)), builder.lshr(word, _word(64 - by)))

        s0, s1, s2, s3 = (streams.read(_WORDS, k) for k in range(4))
        word = builder.add(rotated(builder.add(s0, s3), 23), s0)
        t = builder.shl(s1, _word(17))
        s2, s3 = builder.xor(s2, s0), builder.xor(s3, s1)
        s1, s0 = builder.xor(s1, s2), builder.xor(s0, s3)
        for k, now in enumerate((s0, s1, builder.xor(s2, t), rotated(s3, 45))):
            streams.write(now, k)
        layers.write(builder.and_(word, _word(int(LAYER_MASK))), 0)
        share = builder.fmul(builder.uitofp(builder.lshr(word, _word(11)), _DOUBLES), _number(INV53))
        numbers.write(builder.fsub(builder.fmul(_number(2.0), share), _number(1.0)), 0)
        return context.get_dummy_value()

    return types.void(rng, layer, u), code


def _step_in_order(rng: Any, layer: Any, u: Any) -> None:
    for lane in range(LANES):
        word, *now = stepped.py_func(*rng[:, lane])
        rng[:, lane] = now
        layer[lane], u[lane] = layer_of.py_func(word)


@intrinsic
def _within_in_vectors(typing: Any, u: Any, edges: Any, out: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        numbers, given, to = rows_of(context, builder, signature, values)
        share, edge, inner = numbers.read(_DOUBLES, 0), given.read(_DOUBLES, 0), given.read(_DOUBLES, 1)
        to.write(builder.fmul(share, edge), 0)
        above, below = builder.fcmp_ordered("<", share, inner), builder.fcmp_ordered(">", share, builder.fneg(inner))
        flags = builder.bitcast(builder.and_(above, below), ir.IntType(LANES))
        return builder.icmp_unsigned("==", flags, ir.Constant(ir.IntType(LANES), 2**LANES - 1))

    return types.boolean(u, edges, out), code


def _within_in_order(u: Any, edges: Any, out: Any) -> bool:
    out[:] = u * edges[0]
    return bool((np.abs(u) < edges[1]).all())


@intrinsic
def _act_in_vectors(
    typing: Any, means: Any, std: Any, centre: Any, scale: Any, log_std: Any, noise: Any, action: Any, log_prob: Any
) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        mean, *_, noises, actions, total = rows_of(context, builder, signature, values)

        def spread(k: int) -> Any:
            number = context.cast(builder, values[k], signature.args[k], types.float64)
            first = builder.insert_element(ir.Constant(_DOUBLES, ir.Undefined), number, ir.IntType(32)(0))
            same = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(first, first, same)

        floats = ir.VectorType(ir.FloatType(), LANES)
        z = noises.read(_DOUBLES, 0)
        centred = builder.fpext(mean.read(floats, 0), _DOUBLES)
        acted = builder.fptrunc(builder.fadd(centred, builder.fmul(spread(1), z)), floats)
        actions.write(acted, 0)
        noises.write(builder.fadd(spread(2), builder.fmul(spread(3), builder.fpext(acted, _DOUBLES))), 0)
        lost = builder.fadd(builder.fmul(builder.fmul(_number(0.5), z), z), spread(4))
        total.write(builder.fsub(total.read(_DOUBLES, 0), builder.fadd(lost, _number(HALF_LOG_2PI))), 0)
        return context.get_dummy_value()

    return types.void(means, std, centre, scale, log_std, noise, action, log_prob), code


def _act_in_order(
    means: Any, std: float, centre: float, scale: float, log_std: float, noise: Any, action: Any, log_prob: Any
) -> None:
    action[:] = means.astype(np.float64) + std * noise
    log_prob -= 0.5 * noise * noise + log_std + HALF_LOG_2PI
    noise[:] = centre + scale * action.astype(np.float64)


@intrinsic
def _normalise_in_vectors(typing: Any, raw: Any, mean: Any, std: Any, count: Any, out: Any) -> Any:
    return written(_normalise, raw, mean, std, count, out)


def _normalise(w: Writer, raw: Any, mean: Any, std: Any, count: Any, out: Any) -> None:
    j = w.variable(INT(0))
    with w.count(j, 1, count) as column:
        place = w.times(column, INT(LANES))
        centred = w.builder.fsub(w.vector(raw, place), w.spread(mean, column))
        w.put(w.bounded(w.builder.fdiv(centred, w.spread(std, column)), CLIP), out, place)


def _normalise_in_order(raw: Any, mean: Any, std: Any, count: int, out: Any) -> None:
    for j in range(count):
        for lane in range(LANES):
            out[j, lane] = normalised.py_func(raw[j, lane], mean[j], std[j], CLIP)


_config: Any = numba.config
_plain = _config.DISABLE_JIT or _config.ENABLE_CUDASIM
_step: Any = _step_in_order if _plain else _step_in_vectors
_within: Any = _within_in_order if _plain else _within_in_vectors
_act: Any = _act_in_order if _plain else _act_in_vectors
normalise_beside: Any = _normalise_in_order if _plain else _normalise_in_vectors
"""normalise_beside(raw, mean, std, count, out): the first so many rows of raw float32 [obs, 8] as the policy sees them,
into the first rows of out [at least obs, 8]."""


@inlined
def normals_beside(rng, work, out):  # type: ignore[no-untyped-def]
    """A standard normal number of each of eight streams, uint64 [4, 8], into out [8]."""
    _step(rng, work.layer, work.share)
    take_pairs(LAYERS, work.layer, work.edges)
    if not _within(work.share, work.edges, out):
        for lane in range(LANES):
            if not abs(work.share[lane]) < work.edges[1, lane]:
                out[lane] = normal_slow(rng[:, lane], work.layer[lane], work.share[lane])


@inlined
def sample_beside(m, std, outputs, work, action, quote):  # type: ignore[no-untyped-def]
    """Draw actions of eight trajectories around the means outputs [A, 8], with the streams work.rng.

    It fills action float32 [A, 8] (policy units), quote [A, 8] (without what the inventory adds) and work.log_prob.
    """
    work.log_prob[:] = 0.0
    for a in range(action.shape[0]):
        if m.deterministic:
            quote[a, :] = 0.0
        else:
            normals_beside(work.rng, work, quote[a])
        log_std = np.float64(m.log_std[a])
        _act(outputs[a], std[a], m.scale[a, 0], m.scale[a, 1], log_std, quote[a], action[a], work.log_prob)
