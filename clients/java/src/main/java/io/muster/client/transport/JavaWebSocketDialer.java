package io.muster.client.transport;

import javax.net.ssl.SSLContext;

/** Connects by the library Java-WebSocket. */
public final class JavaWebSocketDialer implements Dialer {
    private final SSLContext tls;

    /** Trusts the servers that the JDK trusts. */
    public JavaWebSocketDialer() {
        this(null);
    }

    /** Trusts the servers that {@code tls} trusts, and shows them its certificate. It is used for {@code wss://} alone. */
    public JavaWebSocketDialer(SSLContext tls) {
        this.tls = tls;
    }

    @Override
    public Line dial(Request request, LineListener listener) {
        JavaWebSocketLine line = new JavaWebSocketLine(request, listener);
        if (tls != null && "wss".equals(request.url().getScheme())) {
            line.setSocketFactory(tls.getSocketFactory());
        }
        line.connect();
        return line;
    }
}
