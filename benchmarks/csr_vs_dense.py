"""One gradient over live rows (CSR) against a dense mask at several shares of live steps.

python benchmarks/csr_vs_dense.py
"""

from __future__ import annotations

from mmrl.commands.bench import csr_and_dense_seconds


def main() -> None:
    """Print a table."""
    print(f"{'alive':>6} {'CSR s':>8} {'dense s':>8} {'ratio':>6}")
    for live in (0.01, 0.05, 0.1, 0.25, 0.5, 1.0):
        sparse, dense = csr_and_dense_seconds(live)
        print(f"{live:>6.0%} {sparse:>8.4f} {dense:>8.4f} {dense / sparse:>6.1f}")


if __name__ == "__main__":
    main()
