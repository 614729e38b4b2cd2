"""When a token source is asked, and what it may do."""

import asyncio
import base64
import json
import tempfile
import unittest
from pathlib import Path

from muster_client import token_file
from muster_client.token import TokenError, Tokens, ask_after, expiry


def token(exp: int) -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    return f"e30.{body}.x"


class Source(unittest.IsolatedAsyncioTestCase):
    async def test_a_file_is_read_again(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "token"
            source = token_file(path)
            for text in ("first", "second"):
                path.write_text(f" {text}\n")
                self.assertEqual(await source(), text)
            path.write_text("two words")
            with self.assertRaises(ValueError) as raised:
                await source()
            self.assertNotIn("words", str(raised.exception).replace("one word", ""))

    async def test_white_space_around_a_token_is_left_out_and_what_is_no_token_is_an_error(self) -> None:
        async def gives() -> str:
            return given

        for given in ("abc\n", " abc "):
            self.assertEqual((Tokens(given, 1).current, await Tokens(gives, 1).ask()), ("abc", "abc"))
        for given in ("", "two words", "two\nlines", "s\u00e9cret", "x" * 16_385):
            with self.assertRaises(ValueError) as fixed:
                Tokens(given, 1)
            with self.assertRaises(TokenError) as asked:
                await Tokens(gives, 1).ask()
            self.assertNotIn("cret", f"{fixed.exception} {asked.exception}")

    async def test_a_source_that_fails_or_hangs_leaves_the_token(self) -> None:
        async def fails() -> str:
            raise OSError("no network")

        async def hangs() -> str:
            await asyncio.Event().wait()
            return ""

        for source, why in ((fails, "no network"), (hangs, "no answer within")):
            tokens = Tokens(source, 0.01)
            tokens.current = "present"
            with self.assertRaisesRegex(TokenError, why):
                await tokens.replaced()
            self.assertEqual(tokens.current, "present")

    async def test_only_a_later_token_extends_and_a_refused_one_is_taken_back(self) -> None:
        tokens = Tokens(token_file("none"), 1)
        tokens.current = token(100)
        self.assertFalse(tokens.extend(token(100), 0))
        self.assertTrue(tokens.extend(token(200), 0))
        tokens.ask_later()
        self.assertEqual(expiry(tokens.current), 100)
        self.assertTrue(tokens.is_expired(101.0))
        self.assertFalse(tokens.is_expired(100.9))


class Times(unittest.TestCase):
    def test_the_source_is_asked_in_the_last_fifth_and_earlier_if_that_is_short(self) -> None:
        for left, first, last in ((3600, 2880, 3240), (30, 20, 25), (4, 2, 3), (0, 0, 0)):
            self.assertEqual((ask_after(left, 0), ask_after(left, 1)), (first, last))
