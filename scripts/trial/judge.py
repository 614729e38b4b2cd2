# The judge: holds what operators were told against what terminals did, by their own logs and nothing else.
#
#   judge.py ACCEPTED RAN STATES        each a file of JSON objects, one a line
#     ACCEPTED  command, targets (ids), stream (commands of one stream have one order)
#     RAN       terminal, what (run, ...), command            STATES    command, terminal, state
#
# It ends with 0 if, and 10 if not, each accepted command was run by each of its targets, once, in the order of its stream, and the states
# say so.

import collections, json, sys


def rows(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def judge(accepted, ran, states):
    order = {row["command"]: place for place, row in enumerate(accepted)}
    stream = {row["command"]: row["stream"] for row in accepted}
    expected = {(row["command"], terminal) for row in accepted for terminal in row["targets"]}
    runs = collections.Counter((row["command"], row["terminal"]) for row in ran if row["what"] == "run")
    last, swapped = {}, []
    for row in ran:
        if row["what"] != "run" or row["command"] not in order:
            continue
        place = (row["terminal"], stream[row["command"]])
        if order[row["command"]] < last.get(place, -1):
            swapped.append((row["command"], row["terminal"]))
        last[place] = max(order[row["command"]], last.get(place, -1))
    told = {(row["command"], row["terminal"]): row["state"] for row in states}
    confirmed = {pair for pair, state in told.items() if state in ("acked", "running", "succeeded")}
    return {
        "accepted lost": expected - runs.keys(),
        "run twice": [pair for pair, count in runs.items() for _ in range(count - 1)],
        "run and not asked for": runs.keys() - expected,
        "out of order": swapped,
        "confirmed and not run": confirmed - runs.keys(),
        "run and not confirmed": (runs.keys() & expected) - confirmed,
        "targets not told of": expected - told.keys(),
    }, len(expected)


def tell(faults, expected):
    """What was found, and of each kind a few by name."""
    print(f"      {expected} deliveries:", ", ".join(f"{len(found)} {what}" for what, found in faults.items()))
    for what, found in faults.items():
        for command, terminal in sorted(found)[:3]:
            print(f"        {what}: {command} at {terminal}")


if __name__ == "__main__":
    faults, expected = judge(*(rows(path) for path in sys.argv[1:4]))
    tell(faults, expected)
    # Neither is a status that Python gives by itself.
    sys.exit(0 if expected and not any(faults.values()) else 10)
