"""What a trial found: each check is said to be ok or not, and whoever fails says how to do it again.

What is counted must hold on any machine. What is timed must hold at full scale, on a machine with nothing else to do; at small scale
it is only told.
"""

import argparse, faulthandler, os, random, signal, sys, threading, time

from .api import Unanswered

_failed, _passed = [], []
_given = None


def arguments(again=None, **scales):
    """What was asked for, and the scale's numbers by name; each scale is a pair of small and full. Says what is tried.

    again   what is called to do it again, if that is neither scripts/promise nor scripts/fault
    """
    global _given
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", choices=["small", "full"], default="small")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31), help="of all that is left to chance")
    parser.add_argument("--compose", action="store_true", help="against the cluster of compose/ instead of one of processes")
    _given = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)
    _given.full = _given.scale == "full"
    _given.again = again or _runner()
    random.seed(_given.seed)
    for name, (small, full) in scales.items():
        setattr(_given, name, full if _given.full else small)
    print(sys.modules["__main__"].__doc__.strip(), flush=True)
    sys.excepthook = lambda kind, error, trace: (sys.__excepthook__(kind, error, trace), fail(f"{kind.__name__}: {error}"))
    threading.excepthook = lambda thread: sys.excepthook(thread.exc_type, thread.exc_value, thread.exc_traceback)
    return _given


def check(what, holds, counts=""):
    print(f"{'ok   ' if holds else 'FAIL '} {what}{': ' if counts != '' else ''}{counts}", flush=True)
    (_passed if holds else _failed).append(what)


def timed(what, took, limit):
    """A time in seconds that the machine has a say in."""
    if _given.full:
        check(f"{what} in less than {limit} s", took < limit, f"{took:.1f} s")
    else:
        print(f"      {what}: {took:.1f} s (at full scale it must be less than {limit} s)", flush=True)


def until(what, holds, seconds=60):
    """Waits for a condition; what can't be asked for is not so yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = holds()
            if last:
                return last
        except Unanswered as error:
            last = error
        time.sleep(0.05)
    fail(f"waited in vain: {what} ({last})")


def fail(what):
    """Ends the script; also from a thread, where an exception would end that thread alone."""
    check(what, False)
    _sum()
    sys.stdout.flush()
    os._exit(1)


def finish():
    sys.exit(_sum())


def _sum():
    if not _failed and _passed:
        print(f"ok: all {len(_passed)} of them")
        return 0
    compose = " --compose" if _given.compose else ""
    print(f"FAIL: {len(_failed)} of {len(_failed) + len(_passed)}; again by: {_given.again} --scale {_given.scale} --seed {_given.seed}{compose}")
    return 1


def _runner():
    folder, script = os.path.split(os.path.splitext(sys.argv[0])[0])
    return f"scripts/{ {'promises': 'promise', 'faults': 'fault'}[os.path.basename(folder)] } {script}"
