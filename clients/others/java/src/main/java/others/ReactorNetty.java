package others;

import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketCloseStatus;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.WebsocketClientSpec;
import reactor.netty.http.websocket.WebsocketInbound;
import reactor.netty.http.websocket.WebsocketOutbound;

/** Reactor Netty. Its limit of a frame, 64 KiB by default, is less than a command may have. */
final class ReactorNetty {
    public static void main(String[] words) {
        WebsocketClientSpec.Builder spec = WebsocketClientSpec.builder().maxFramePayloadLength(1 << 20);
        if (!Lines.SUBPROTOCOLS.isEmpty()) {
            spec.protocols(String.join(",", Lines.SUBPROTOCOLS));
        }
        HttpClient.create()
            .headers(headers -> Lines.HEADERS.forEach(headers::add))
            .websocket(spec.build())
            .uri(words[0])
            .handle(ReactorNetty::session)
            .then()
            .onErrorResume(ReactorNetty::failed)
            .block();
    }

    private static Publisher<Void> session(WebsocketInbound in, WebsocketOutbound out) {
        Lines.say("open");
        Flux<String> answers = in.aggregateFrames(1 << 20).receive().asString().mapNotNull(Lines::text);
        Mono<WebSocketCloseStatus> closed = in.receiveCloseStatus();
        closed.subscribe(status -> Lines.close(status.code(), status.reasonText()));
        return out.sendString(Flux.concat(Mono.just("hello"), answers));
    }

    static Mono<Void> failed(Throwable error) {
        if (error instanceof WebSocketClientHandshakeException refused && refused.response() != null) {
            Lines.refused(refused.response().status().code(), null);
        }
        Lines.error(error);
        return Mono.empty();
    }
}
