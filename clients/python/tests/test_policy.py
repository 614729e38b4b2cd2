"""How sessions end, and when the terminal comes back: protocol/vectors/close.json and policy.json."""

import unittest
from typing import Any

from muster_client import End, Policy
from muster_client.end import closed, lost, refused
from muster_client.policy import Backoff
from tests import vectors

DRAWS = 200


class Ends(unittest.TestCase):
    def test_a_close_says_what_to_do(self) -> None:
        for vector in vectors.read("close")["closes"]:
            end = closed(vector["code"], vector["reason"])
            hint = vector["retry_ms"]
            self.assertEqual(end.hint, None if hint is None else hint / 1000, vector)
            self.assertEqual(end.is_final, vector["advice"] == "stay_away", vector)

    def test_the_hint_of_the_close_counts(self) -> None:
        self.assertEqual(closed(1012, '{"retry_ms":7}', goodbye=1).hint, 0.007)
        self.assertEqual(closed(1012, "", goodbye=1).hint, 1)

    def test_delays_are_drawn_as_the_policy_says(self) -> None:
        for vector in vectors.read("policy")["delays"]:
            drawn = [delay(vector) for _ in range(DRAWS)]
            if vector["delay_ms"] is None:
                self.assertEqual(set(drawn), {None}, vector)
                continue
            least, most = (bound / 1000 for bound in vector["delay_ms"])
            delays = [it for it in drawn if it is not None]
            self.assertEqual(len(delays), DRAWS, vector)
            self.assertTrue(all(least <= it <= most for it in delays), vector)
            if least < most:
                middle = (least + most) / 2
                self.assertTrue(min(delays) < middle < max(delays), vector)


def delay(vector: Any) -> float | None:
    backoff = Backoff(Policy())
    for _ in range(vector["failures"]):
        backoff.after(lost("reset"), 0)
    end = end_of(vector["end"])
    drawn = backoff.after(end, vector["lasted_ms"] / 1000)
    return backoff.slowly() if end.needs_token and not vector["other_token"] else drawn


def end_of(end: Any) -> End:
    if "close" in end:
        return closed(end["close"], end["reason"])
    if "status" in end:
        seconds = end["retry_after_s"]
        return refused(end["status"], None if seconds is None else str(seconds))
    return lost("reset")


if __name__ == "__main__":
    unittest.main()
