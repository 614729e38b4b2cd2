package examples.plain;

import java.net.URI;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import org.springframework.boot.ApplicationRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.env.Environment;
import org.springframework.http.HttpHeaders;
import org.springframework.web.reactive.socket.WebSocketHandler;
import org.springframework.web.reactive.socket.client.ReactorNettyWebSocketClient;
import reactor.core.publisher.Mono;

/** A terminal in plain mode:  TOKEN=… java … examples.plain.PlainTerminal --url=ws://HOST:PORT/ws?terminal_id=ID */
@SpringBootApplication
public class PlainTerminal {
    public static void main(String[] args) {
        SpringApplication.run(PlainTerminal.class, args);
    }

    @Bean
    ApplicationRunner terminal(Environment environment) {
        URI url = environment.getRequiredProperty("url", URI.class);
        HttpHeaders headers = new HttpHeaders();
        headers.setBearerAuth(environment.getRequiredProperty("TOKEN"));
        WebSocketHandler handler = session -> session.send(Mono.just(session.textMessage("hello")))
                .thenMany(session.receive())
                .doOnNext(command -> System.out.println("run: " + command.getPayloadAsText()))
                .then(session.closeStatus())
                .doOnNext(status -> System.out.println("closed: " + status))
                .then();
        Mono<Void> session = Mono.defer(() -> new ReactorNettyWebSocketClient().execute(url, headers, handler))
                .onErrorResume(error -> Mono.fromRunnable(() -> System.out.println("error: " + error)));
        // At random, so that the terminals of a lost node do not all come back in the same moment.
        Mono<Long> pause = Mono.defer(() -> Mono.delay(Duration.ofMillis(ThreadLocalRandom.current().nextLong(30_000))));
        return arguments -> session.then(pause).repeat().blockLast();
    }
}
