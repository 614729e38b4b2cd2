"""What is remembered over a restart."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from muster_client.memory import IDS, RESULTS, Memory


class Remembered(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "memory"

    def open(self) -> Memory:
        memory = Memory(self.path)
        self.addCleanup(memory.close)
        return memory

    def test_a_file_with_a_torn_last_line_is_read(self) -> None:
        memory = self.open()
        memory.add("a")
        memory.set_cursor("c7")
        memory.set_result("a", '{"type":"result", "id":"a"}')
        with self.path.open("ab") as file:
            file.write(b"cursor torn")
        again = self.open()
        self.assertEqual((again.has("a"), again.has("b"), again.cursor), (True, False, "c7"))
        self.assertEqual(dict(again.results), {"a": '{"type":"result", "id":"a"}'})

    def test_the_oldest_are_forgotten_and_the_file_is_bounded(self) -> None:
        memory = self.open()
        for number in range(IDS + 1):
            memory._remember(str(number))
        # The disk is not waited for.
        with mock.patch("os.fdatasync"):
            for number in range(4 * RESULTS):
                memory.set_result(str(number), "{}")
        again = self.open()
        self.assertEqual((again.has("0"), again.has("1")), (False, False))
        self.assertEqual(len(again.results), RESULTS)
        self.assertLess(self.path.read_text().count("\n"), 2 * RESULTS)
        self.assertFalse(memory.has("0"))
        self.assertTrue(memory.has("1"))

    def test_what_a_full_disk_did_not_take_is_written_with_what_follows(self) -> None:
        memory = self.open()
        memory.add("a")
        with self.path.open("ab") as file:
            file.write(b"command torn")
        memory._file = self.enterContext(Path("/dev/full").open("ab", buffering=0))
        memory.add("b")
        memory.set_cursor("c3")
        again = self.open()
        self.assertEqual((again.has("a"), again.has("b"), again.cursor), (True, True, "c3"))

    def test_without_a_file_nothing_is_written(self) -> None:
        memory = Memory()
        memory.add("a")
        self.assertTrue(memory.has("a"))

    def test_a_missing_folder_is_an_error(self) -> None:
        with self.assertRaises(FileNotFoundError):
            Memory(Path("/nonexistent/memory"))
