package io.muster.spring;

import io.muster.client.transport.Dialer;
import io.muster.client.transport.Line;
import io.muster.client.transport.LineListener;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslContext;
import org.springframework.http.HttpHeaders;
import org.springframework.web.reactive.socket.client.ReactorNettyWebSocketClient;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.WebsocketClientSpec;

/** Connects by Spring's WebSocket client on Reactor Netty. */
public final class SpringDialer implements Dialer {
    private final SslContext tls;

    /** Trusts the servers that the JDK trusts. */
    public SpringDialer() {
        this(null);
    }

    /** Trusts the servers that {@code tls} trusts, and shows them its certificate. It is used for {@code wss://} alone. */
    public SpringDialer(SslContext tls) {
        this.tls = tls;
        // Or else the first attempt would spend its deadline on what Netty loads when it is first used.
        HttpClient.newConnection().warmup().block();
    }

    @Override
    public Line dial(Request request, LineListener listener) {
        // Each session has a connection of its own: there is nothing to pool, nor to try again behind the policy's back.
        HttpClient http = HttpClient.newConnection()
                .disableRetry(true)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) request.deadline().toMillis());
        if (tls != null && "wss".equals(request.url().getScheme())) {
            http = http.secure(spec -> spec.sslContext(tls));
        }
        HttpHeaders headers = new HttpHeaders();
        request.headers().forEach(headers::set);
        SpringLine line = new SpringLine(request.protocol(), listener);
        line.connect(new ReactorNettyWebSocketClient(http, SpringDialer::spec), request.url(), headers);
        return line;
    }

    private static WebsocketClientSpec.Builder spec() {
        // Pings are shown to the line, which answers them: a terminal must know that its node is still there.
        return WebsocketClientSpec.builder().maxFramePayloadLength(MAX_MESSAGE).handlePing(true);
    }
}
