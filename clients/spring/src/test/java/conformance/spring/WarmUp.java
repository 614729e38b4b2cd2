package conformance.spring;

import io.muster.client.transport.Dialer;
import io.muster.client.transport.Line;
import io.muster.client.transport.LineListener;
import io.muster.spring.SpringDialer;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.WebsocketServerSpec;

/**
 * Connects once to a server of this program. The kit's deadlines are a small part of the usual ones, and what a JVM loads at
 * its first connection takes longer.
 */
final class WarmUp {
    private static final String PROTOCOL = "muster.v1";

    private WarmUp() {}

    static void run() throws InterruptedException {
        WebsocketServerSpec spec = WebsocketServerSpec.builder().protocols(PROTOCOL).build();
        DisposableServer server = HttpServer.create().host("127.0.0.1").port(0)
                .route(routes -> routes.ws("/ws", (in, out) -> out.sendString(Mono.just("{}")), spec)).bindNow();
        URI url = URI.create("ws://127.0.0.1:" + server.port() + "/ws");
        End end = new End();
        Line line = new SpringDialer().dial(new Dialer.Request(url, Map.of(), PROTOCOL, Duration.ofSeconds(30)), end);
        end.happened.await(30, TimeUnit.SECONDS);
        line.abort();
        server.disposeNow();
    }

    private static final class End implements LineListener {
        private final CountDownLatch happened = new CountDownLatch(1);

        @Override
        public void onOpen(String protocol) {}

        @Override
        public void onText(String text) {}

        @Override
        public void onSign() {}

        @Override
        public void onClose(int code, String reason) {
            happened.countDown();
        }

        @Override
        public void onRefused(int status, Duration retryAfter) {
            happened.countDown();
        }

        @Override
        public void onLost(String cause) {
            happened.countDown();
        }
    }
}
