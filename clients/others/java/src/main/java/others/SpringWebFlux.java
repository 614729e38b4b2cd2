package others;

import java.net.URI;
import java.util.List;
import org.springframework.http.HttpHeaders;
import org.springframework.web.reactive.socket.WebSocketHandler;
import org.springframework.web.reactive.socket.WebSocketSession;
import org.springframework.web.reactive.socket.client.ReactorNettyWebSocketClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.WebsocketClientSpec;

/** Spring WebFlux, on Reactor Netty, whose limit of a frame, 64 KiB by default, is less than a command may have. */
final class SpringWebFlux implements WebSocketHandler {
    public static void main(String[] words) {
        HttpHeaders headers = new HttpHeaders();
        Lines.HEADERS.forEach(headers::add);
        new ReactorNettyWebSocketClient(HttpClient.create(), () -> WebsocketClientSpec.builder().maxFramePayloadLength(1 << 20))
            .execute(URI.create(words[0]), headers, new SpringWebFlux())
            .onErrorResume(ReactorNetty::failed)
            .block();
    }

    @Override
    public List<String> getSubProtocols() {
        return Lines.SUBPROTOCOLS;
    }

    @Override
    public Mono<Void> handle(WebSocketSession session) {
        Lines.say("open");
        session.closeStatus().subscribe(close -> Lines.close(close.getCode(), close.getReason()));
        Flux<String> answers = session.receive().mapNotNull(message -> Lines.text(message.getPayloadAsText()));
        return session.send(Flux.concat(Mono.just("hello"), answers).map(session::textMessage));
    }
}
