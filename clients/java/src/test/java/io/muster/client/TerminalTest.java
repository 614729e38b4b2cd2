package io.muster.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A terminal on a real socket. What it does there in a session, the kit looks at. */
@Timeout(30)
class TerminalTest {
    private ServerSocket server;
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
    private final Program program = new Program() {
        @Override
        public void onCommand(Command command) {}

        @Override
        public void onOffline(ConnectionEnd end, Duration retryIn) {
            told.add(end.kind() + " " + end.number() + " " + (retryIn.toMillis() >= 7000));
        }

        @Override
        public void onGone(ConnectionEnd end) {
            told.add("GONE " + end.kind());
        }
    };

    @BeforeEach
    void listen() throws IOException {
        server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    }

    @AfterEach
    void close() throws IOException {
        server.close();
    }

    private Settings settings() {
        return Settings.of("t1").url("ws://127.0.0.1:" + server.getLocalPort() + "/ws");
    }

    /** Takes one connection, reads the head of its request, answers it in two parts, and closes. Returns the head. */
    private String answer(String first, String second) throws IOException, InterruptedException {
        try (Socket socket = server.accept()) {
            StringBuilder head = new StringBuilder();
            InputStream in = socket.getInputStream();
            while (head.indexOf("\r\n\r\n") < 0) {
                int letter = in.read();
                if (letter < 0) {
                    throw new EOFException("the request is not whole: " + head);
                }
                head.append((char) letter);
            }
            socket.getOutputStream().write(first.getBytes(StandardCharsets.ISO_8859_1));
            socket.getOutputStream().flush();
            Thread.sleep(50);
            socket.getOutputStream().write(second.getBytes(StandardCharsets.ISO_8859_1));
            return head.toString();
        }
    }

    @Test
    void aRefusalIsToldWithItsStatusAndItsTimeToWaitWhereverTheAnswerIsCut() throws IOException, InterruptedException {
        Terminal terminal = Terminal.start(settings().token(TokenSource.fixed("abc")), program);
        String head = answer("HTTP/1.1 429 Too Many Requests\r\nRetry-Af", "ter: 7\r\nContent-Length: 0\r\n\r\n");
        assertEquals("REFUSED 429 true", told.poll(10, TimeUnit.SECONDS));
        assertTrue(head.startsWith("GET /ws?terminal_id=t1 HTTP/1.1\r\n") && head.contains("Authorization: Bearer abc\r\n"), head);
        assertTrue(head.contains("Sec-WebSocket-Protocol: muster.v1\r\n"), head);
        terminal.close();
        assertEquals("GONE LEFT", told.poll());
        assertThrows(SendException.class, () -> terminal.event("door", Payload.NULL));
    }

    @Test
    void aUrlThatIsWrongIsFinal() throws IOException, InterruptedException {
        Terminal terminal = Terminal.start(settings(), program);
        answer("HTTP/1.1 404 Not Found\r\n", "\r\n");
        terminal.join();
        assertEquals("GONE REFUSED", told.poll());
        assertTrue(terminal.isGone());
    }

    @Test
    void aServerThatIsNotThereIsTriedAgain() throws IOException, InterruptedException {
        Settings nowhere = settings();
        server.close();
        try (Terminal terminal = Terminal.start(nowhere, program)) {
            assertEquals("LOST 1006 false", told.poll(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void whatWaitsIsBoundedAndWhatIsTooLargeIsRefused() throws IOException {
        try (Terminal terminal = Terminal.start(settings(), program)) {
            for (int number = 0; number < 256; number++) {
                terminal.event("door", Payload.of(number));
            }
            assertTrue(assertThrows(SendException.class, () -> terminal.event("door", Payload.NULL)).getMessage().contains("256"));
            String large = "x".repeat(Outgoing.EVENT_MAX);
            assertTrue(assertThrows(SendException.class, () -> terminal.event("door", Payload.text(large))).isTooLarge());
        }
    }

    @Test
    void settingsThatCannotWorkAreNamedWithoutTheirSecrets() {
        for (String bad : new String[] {"http://host/ws", "ws://user:secret@host/ws", "ws:///ws", "secret secret"}) {
            String told = assertThrows(IllegalArgumentException.class, () -> Settings.of("t1").url(bad)).getMessage();
            assertTrue(told.contains("url 1") && !told.contains("secret"), told);
        }
        assertThrows(IllegalArgumentException.class, () -> Terminal.start(Settings.of("t1"), program));
        Settings noFolder = Settings.of("t1").url("ws://host").memory(Path.of("/nonexistent/memory"));
        assertThrows(IOException.class, () -> Terminal.start(noFolder, program));
    }
}
