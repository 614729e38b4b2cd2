package io.muster.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.muster.client.Command;
import io.muster.client.ConnectionEnd;
import io.muster.client.Program;
import io.muster.client.Terminal;
import io.muster.client.TokenSource;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The terminal as a bean, on a real socket. What it does in a session, the kit looks at. */
@Timeout(60)
class MusterAutoConfigurationTest {
    private static final BlockingQueue<String> TOLD = new LinkedBlockingQueue<>();

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration(MusterAutoConfiguration.class)
    static class WithoutProgram {}

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration(MusterAutoConfiguration.class)
    static class WithProgram {
        @Bean
        Program program() {
            return new Program() {
                @Override
                public void onCommand(Command command) {}

                @Override
                public void onOffline(ConnectionEnd end, Duration retryIn) {
                    TOLD.add(end.kind() + " " + end.number() + " " + (retryIn.toMillis() >= 7000));
                }

                @Override
                public void onGone(ConnectionEnd end) {
                    TOLD.add("GONE " + end.kind());
                }
            };
        }

        @Bean
        TokenSource tokens() {
            return TokenSource.fixed("abc");
        }
    }

    private static ConfigurableApplicationContext run(Class<?> configuration, String... properties) {
        return new SpringApplicationBuilder(configuration).web(WebApplicationType.NONE)
                .properties("spring.main.banner-mode=off", "logging.level.root=error").properties(properties).run();
    }

    @Test
    void withoutAProgramThereIsNoTerminal() {
        try (ConfigurableApplicationContext context = run(WithoutProgram.class)) {
            assertFalse(context.getBeanProvider(Terminal.class).stream().findAny().isPresent());
        }
    }

    @Test
    void whatIsMissingIsNamed() {
        Throwable error = assertThrows(RuntimeException.class, () -> run(WithProgram.class, "muster.terminal=t1"));
        while (error.getCause() != null) {
            error = error.getCause();
        }
        assertTrue(error.getMessage().contains("muster.url"), error::toString);
    }

    @Test
    void aRefusalIsToldWithItsStatusAndItsTimeToWaitAndTheTerminalLeavesWithTheApplication() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
            String url = "muster.url=ws://127.0.0.1:" + server.getLocalPort() + "/ws";
            try (ConfigurableApplicationContext context = run(WithProgram.class, "muster.terminal=t1", "muster.reconnect.deadline=50s", url)) {
                String head = refuse(server);
                assertEquals("REFUSED 429 true", TOLD.poll(20, TimeUnit.SECONDS));
                assertTrue(head.startsWith("GET /ws?terminal_id=t1 HTTP/1.1\r\n"), head);
                String lower = head.toLowerCase(Locale.ROOT);
                assertTrue(lower.contains("authorization: bearer abc\r\n"), head);
                assertTrue(lower.contains("sec-websocket-protocol: muster.v1\r\n"), head);
                assertFalse(context.getBean(Terminal.class).isGone());
            }
            assertEquals("GONE LEFT", TOLD.poll(20, TimeUnit.SECONDS));
        }
    }

    private static String refuse(ServerSocket server) throws IOException {
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
            String answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
            socket.getOutputStream().write(answer.getBytes(StandardCharsets.ISO_8859_1));
            return head.toString();
        }
    }
}
