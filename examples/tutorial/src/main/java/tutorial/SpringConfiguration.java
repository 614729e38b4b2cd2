package tutorial;

import java.net.URI;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.socket.client.WebSocketClient;
import org.springframework.web.socket.client.standard.StandardWebSocketClient;

/** The configuration of the client with Spring. */
@Configuration(proxyBeanMethods = false)
class SpringConfiguration {
    /** What differs between two clients. */
    record Place(String name, URI url, String token) {}

    @Bean
    WebSocketClient webSocketClient() {
        return new StandardWebSocketClient();
    }

    @Bean
    SpringClient springClient(WebSocketClient client, Place place) {
        return new SpringClient(client, place);
    }
}
