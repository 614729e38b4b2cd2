package others;

import jakarta.websocket.ClientEndpointConfig;
import jakarta.websocket.CloseReason;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.Session;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.glassfish.tyrus.client.ClientManager;
import org.glassfish.tyrus.client.exception.DeploymentHandshakeException;

/** Tyrus, which is Jakarta WebSocket. */
public final class Tyrus extends Endpoint {
    public static void main(String[] words) throws Exception {
        ClientEndpointConfig.Configurator headers = new ClientEndpointConfig.Configurator() {
            @Override
            public void beforeRequest(Map<String, List<String>> request) {
                Lines.HEADERS.forEach((name, value) -> request.put(name, List.of(value)));
            }
        };
        ClientEndpointConfig config = ClientEndpointConfig.Builder.create()
            .configurator(headers)
            .preferredSubprotocols(Lines.SUBPROTOCOLS)
            .build();
        ClientManager client = ClientManager.createClient();
        try {
            client.connectToServer(new Tyrus(), config, URI.create(words[0]));
            Thread.currentThread().join();
        } catch (DeploymentHandshakeException refused) {
            Lines.refused(refused.getHttpStatusCode(), null);
        } catch (jakarta.websocket.DeploymentException error) {
            Lines.error(error.getCause() == null ? error : error.getCause());
        }
    }

    @Override
    public void onOpen(Session session, EndpointConfig config) {
        session.addMessageHandler(String.class, (MessageHandler.Whole<String>) message -> {
            String answer = Lines.text(message);
            if (answer != null) {
                session.getAsyncRemote().sendText(answer);
            }
        });
        Lines.say("open");
        session.getAsyncRemote().sendText("hello");
    }

    @Override
    public void onClose(Session session, CloseReason close) {
        Lines.close(close.getCloseCode().getCode(), close.getReasonPhrase());
    }
}
