"""A process that has imported everything and forks a child per task: faults cost milliseconds, not imports.

Started as a script; reads one JSON task a line and answers each with one JSON line. The children start no thread
before the fork, hold no descriptor of the nursery and run the real command or one real save.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.faults.readers import watch


def child(task: dict) -> None:
    """What a forked child does: one task, then leave without clean-up handlers of the nursery."""
    os.setsid()
    out = os.open(task["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.closerange(3, 64)
    os.environ.update(task.get("env", {}))
    os.chdir(task.get("cwd", "."))
    code = 70
    try:
        code = KINDS[task["kind"]](task)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code or 0)


def command(task: dict) -> int:
    """The command line itself."""
    import cli

    if task.get("mutant"):
        from tests.faults.mutants import switch_on

        switch_on(task["mutant"])
    sys.argv = ["mmrl", *task["arguments"]]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        cli.main(task["arguments"])
    finally:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        facts = {"seconds": time.perf_counter() - began, "megabytes": grown / 1024}
        Path(task["out"] + ".cost").write_text(json.dumps(facts))
    return 0


def save(task: dict) -> int:
    """One epoch written down; waits for a signal first, so that a tracer can attach and counts nothing else."""
    from tests.faults.mutants import switch_on
    from tests.faults.saving import save_epoch

    if task.get("mutant"):
        switch_on(task["mutant"])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    folder = Path(task["folder"])
    Path(task["out"] + ".ready").touch()
    signal.sigwait([signal.SIGUSR1])
    try:
        save_epoch(folder, task["epoch"], task["way"])
    except OSError as error:
        Path(task["out"] + ".error").symlink_to(f"{error.errno} {error.filename}")
        return 1
    return 0


KINDS = {"command": command, "save": save, "watch": lambda task: watch(Path(task["folder"]), task["reader"])}


def main() -> None:
    """Import, then fork a child per task."""
    if "training" in sys.argv:
        import cli  # noqa: F401
        from mmrl.learn import trainer  # noqa: F401
        from mmrl.runs import checkpoint, recorder  # noqa: F401
        from mmrl.training import start  # noqa: F401
    import mmrl.runs.commit
    import mmrl.runs.episodes
    import mmrl.runs.recorder  # noqa: F401
    from tests.faults import mutants, saving  # noqa: F401

    saving.files(1)  # what numpy loads late

    print(json.dumps({"ready": True}), flush=True)
    living: set[int] = set()
    for line in sys.stdin:
        task = json.loads(line)
        if "poll" in task:
            pid, status = os.waitpid(task["poll"], os.WNOHANG)
            living.discard(pid)
            print(json.dumps({"status": None if pid == 0 else os.waitstatus_to_exitcode(status)}), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(task)
        living.add(pid)
        print(json.dumps({"pid": pid}), flush=True)
    for pid in living:  # the tests were broken off: their children go too
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
