package io.muster.spring;

import io.muster.client.transport.Dialer;
import io.muster.client.transport.Line;
import io.muster.client.transport.LineListener;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.HttpHeaders;
import org.springframework.web.reactive.socket.CloseStatus;
import org.springframework.web.reactive.socket.WebSocketHandler;
import org.springframework.web.reactive.socket.WebSocketMessage;
import org.springframework.web.reactive.socket.WebSocketSession;
import org.springframework.web.reactive.socket.client.WebSocketClient;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.publisher.Sinks.EmitResult;
import reactor.core.scheduler.Schedulers;

/** One connection of Spring's WebSocket client. */
final class SpringLine implements WebSocketHandler, Line {
    /** How many messages may wait to be written. */
    private static final int QUEUE = 64;
    /** How long {@link #sendText} waits for room, in milliseconds. */
    private static final int PATIENCE = 10_000;
    private static final int INTERVAL = 2;
    /** A close that is known comes with the end of what is received. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(1);

    private final String protocol;
    private final LineListener listener;
    private final Sinks.Many<WebSocketMessage> outgoing =
            Sinks.many().unicast().onBackpressureBuffer(new ArrayBlockingQueue<>(QUEUE));
    private volatile WebSocketSession session;
    private volatile CloseStatus closed;
    private volatile Disposable connection;

    SpringLine(String protocol, LineListener listener) {
        this.protocol = protocol;
        this.listener = listener;
    }

    /** Begins to connect. */
    void connect(WebSocketClient client, URI url, HttpHeaders headers) {
        connection = client.execute(url, headers, this).subscribe(nothing -> { }, this::onFailure, this::onEnd);
    }

    @Override
    public List<String> getSubProtocols() {
        return List.of(protocol);
    }

    @Override
    public Mono<Void> handle(WebSocketSession opened) {
        session = opened;
        listener.onOpen(opened.getHandshakeInfo().getSubProtocol());
        // One message at a time, on a thread that may wait: the listener returns when the message has been dealt with.
        Mono<Void> receiving = opened.receive().map(Received::of)
                .publishOn(Schedulers.boundedElastic(), 1).doOnNext(this::onReceived).then();
        Mono<Void> closing = receiving.then(opened.closeStatus().timeout(CLOSE_TIMEOUT, Mono.empty()))
                .doOnNext(status -> closed = status).then();
        return Mono.firstWithSignal(closing, opened.send(outgoing.asFlux()).then(Mono.never()));
    }

    /** What came: a text, or the bytes of a ping. Both are null for anything else. */
    private record Received(String text, byte[] ping) {
        /** The message's memory is used again when this returns. */
        static Received of(WebSocketMessage message) {
            return switch (message.getType()) {
                case TEXT -> new Received(message.getPayloadAsText(), null);
                case PING -> new Received(null, bytes(message.getPayload()));
                default -> new Received(null, null);
            };
        }

        private static byte[] bytes(DataBuffer buffer) {
            byte[] bytes = new byte[buffer.readableByteCount()];
            buffer.read(bytes);
            return bytes;
        }
    }

    private void onReceived(Received received) {
        if (received.text != null) {
            listener.onText(received.text);
            return;
        }
        if (received.ping != null) {
            emit(session.pongMessage(factory -> factory.wrap(received.ping)));
        }
        listener.onSign();
    }

    private void onFailure(Throwable error) {
        // The status is 101 if the answer to the handshake was wrong in another way.
        if (error instanceof WebSocketClientHandshakeException refused
                && refused.response() != null && refused.response().status().code() != 101) {
            String retryAfter = refused.response().headers().get("Retry-After");
            listener.onRefused(refused.response().status().code(), Dialer.retryAfter(retryAfter));
        } else {
            listener.onLost(error.toString());
        }
    }

    private void onEnd() {
        CloseStatus status = closed;
        if (status == null || status.getCode() == CloseStatus.NO_CLOSE_FRAME.getCode()) {
            listener.onLost("the connection ended without a close");
        } else {
            listener.onClose(status.getCode(), status.getReason() == null ? "" : status.getReason());
        }
    }

    @Override
    public void sendText(String text) throws IOException {
        WebSocketMessage message = session.textMessage(text);
        try {
            for (int waited = 0; emit(message) == EmitResult.FAIL_OVERFLOW; waited += INTERVAL) {
                if (waited >= PATIENCE) {
                    throw new IOException("the network took nothing for " + PATIENCE + " ms");
                }
                Thread.sleep(INTERVAL);
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the network took nothing", interrupted);
        }
    }

    /** Two threads send: the terminal's, and the one that answers pings. */
    private synchronized EmitResult emit(WebSocketMessage message) {
        return outgoing.tryEmitNext(message);
    }

    @Override
    public void close() {
        session.close(CloseStatus.NORMAL).subscribe(nothing -> { }, error -> listener.onLost(error.toString()));
    }

    @Override
    public void abort() {
        Disposable present = connection;
        if (present != null) {
            present.dispose();
        }
    }
}
