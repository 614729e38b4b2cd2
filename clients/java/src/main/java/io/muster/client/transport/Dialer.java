package io.muster.client.transport;

import java.net.URI;
import java.time.Duration;
import java.util.Map;

/** Makes connections by some WebSocket library. */
@FunctionalInterface
public interface Dialer {
    /** The largest message that a terminal takes, in bytes. A larger one ends the connection. */
    int MAX_MESSAGE = 1 << 20;

    /**
     * A connection to make.
     *
     * @param url where to
     * @param headers the headers of the handshake; a value may be a secret
     * @param protocol the subprotocol to ask for
     * @param deadline how long the attempt may take
     */
    record Request(URI url, Map<String, String> headers, String protocol, Duration deadline) {
        @Override
        public String toString() {
            // Without the headers, which hold the token.
            return url + " " + protocol;
        }
    }

    /** Begins to connect, without waiting. The listener is told what came of it, on another thread. */
    Line dial(Request request, LineListener listener);

    /** The header Retry-After in seconds; null for its other form, a date, which would need the server's clock. */
    static Duration retryAfter(String header) {
        return header != null && header.strip().matches("[0-9]{1,9}") ? Duration.ofSeconds(Long.parseLong(header.strip())) : null;
    }
}
