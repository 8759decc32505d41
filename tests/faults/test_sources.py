"""No line of the product could run a file of a stranger."""

from __future__ import annotations

import ast
from collections.abc import Callable

from tests.faults.harness import ROOT

FORBIDDEN = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.jit.load"}


def unsafe(source: str) -> list[str]:
    """Calls and imports by which a file could run as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in CALLS:
                found.append(name)
            if keywords.get("shell") == "True" or keywords.get("allow_pickle") == "True":
                found.append(name)
            if name.endswith(("np.load", "numpy.load")) and keywords.get("allow_pickle") != "False":
                found.append(name)
    return found


def test_nothing_that_could_run_a_file(figure: Callable[..., None], caught: Callable[..., None]) -> None:
    files = [ROOT / "cli.py", *(p for place in ("mmrl", "tui") for p in sorted((ROOT / place).rglob("*.py")))]
    hits = [f"{path.name}: {name}" for path in files for name in unsafe(path.read_text())]
    # numba's format; read only from files that no other user can have written (test_kernel_cache.py)
    # an exported file is read back as soon as it is written, to compare what it quotes with the run
    known = ["cache.py: pickle", "torch_file.py: torch.jit.load"]
    assert hits == known
    mutants = ["import pickle", "from yaml import load", "eval('1')", "torch.load(p)", "np.load(p)",
               "subprocess.run(x, shell=True)", "os.system('x')"]  # fmt: skip
    assert all(unsafe(mutant) for mutant in mutants)
    figure(
        17,
        "sources searched for pickle, eval, exec, shell, torch.load: hits",
        f"{len(files)}: {len(hits) - len(known)}",
        "0",
    )
    caught(17, f"{len(mutants)} lines with such a call: all found")
