"""That each thing that a line can suffer does what it says, and nothing else. Times are looked at from below only: a busy machine is
late, and never early."""

import socket, threading, time, unittest

from .line import Line


class Echo:
    """A server that sends back what it gets, and counts who is there."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1], daemon=True).start()
        except OSError:
            pass

    def _serve(self, stream):
        try:
            while data := stream.recv(65536):
                stream.sendall(data)
            stream.close()
        except OSError:
            pass


class LineTest(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.listener.close)
        self.line = Line(self.echo.address)
        self.addCleanup(self.line.close)

    def dial(self):
        host, port = self.line.address.split(":")
        stream = socket.create_connection((host, int(port)), 20)
        self.addCleanup(stream.close)
        self.assertEqual(self.took(stream, b"hello")[0], b"hello")
        return stream

    def took(self, stream, data):
        """What comes back of as many bytes, and after how long."""
        began, back = time.monotonic(), b""
        stream.sendall(data)
        while len(back) < len(data) and (piece := stream.recv(65536)):
            back += piece
        return back, time.monotonic() - began

    def silent(self, stream):
        """Whether nothing comes for a while."""
        stream.settimeout(0.3)
        try:
            stream.recv(1)
            return False
        except TimeoutError:
            return True
        finally:
            stream.settimeout(20)

    def test_a_good_line_changes_nothing(self):
        data = bytes(range(256)) * 4096
        stream = self.dial()
        threading.Thread(target=stream.sendall, args=(data,)).start()
        back = b""
        while len(back) < len(data):
            back += stream.recv(65536)
        self.assertEqual(back, data)

    def test_delay_is_in_both_directions_and_keeps_the_order(self):
        stream = self.dial()
        self.line.delay(100, 50)
        began, back = time.monotonic(), b""
        for number in range(20):
            stream.sendall(bytes([number]))
            time.sleep(0.005)
        while len(back) < 20:
            back += stream.recv(100)
        self.assertEqual(back, bytes(range(20)))
        self.assertGreaterEqual(time.monotonic() - began, 0.1)

    def test_bandwidth_is_a_limit(self):
        stream = self.dial()
        self.line.bandwidth(10_000)
        self.assertGreaterEqual(self.took(stream, b"x" * 5000)[1], 0.4)
        self.line.heal()
        self.assertEqual(self.took(stream, b"fast")[0], b"fast")

    def test_a_hole_is_silent_and_loses_nothing_once_it_is_over(self):
        stream = self.dial()
        self.line.hole()
        stream.sendall(b"lost?")
        self.assertTrue(self.silent(stream))
        host, port = self.line.address.split(":")
        late = socket.create_connection((host, int(port)), 20)
        self.addCleanup(late.close)
        late.sendall(b"me too")
        self.assertTrue(self.silent(late))
        self.line.heal()
        self.assertEqual(stream.recv(5), b"lost?")
        self.assertEqual(late.recv(6), b"me too")

    def test_a_cut_is_an_end(self):
        stream = self.dial()
        self.assertEqual(self.line.cut(), 1)
        self.assertEqual(stream.recv(1), b"")

    def test_a_reset_is_an_error(self):
        stream = self.dial()
        self.assertEqual(self.line.reset(), 1)
        with self.assertRaises(ConnectionResetError):
            stream.recv(1)

    def test_a_share_is_a_share_and_those_who_come_later_are_well(self):
        streams = [self.dial() for _ in range(10)]
        self.assertEqual(self.line.hole(0.3), 3)
        for stream in streams:
            stream.sendall(b"?")
        self.assertEqual(sum(self.silent(stream) for stream in streams), 3)
        self.dial()

    def test_an_end_goes_through(self):
        stream = self.dial()
        stream.shutdown(socket.SHUT_WR)
        self.assertEqual(stream.recv(1), b"")

    def test_what_is_no_order_is_said_to_be_none(self):
        with self.assertRaises(RuntimeError):
            self.line._tell("explode")
        self.assertEqual(self.line.connections(), 0)


if __name__ == "__main__":
    unittest.main()
