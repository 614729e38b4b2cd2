package others;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.ExecutionException;
import org.glassfish.tyrus.client.exception.DeploymentHandshakeException;
import org.springframework.web.socket.CloseStatus;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketHttpHeaders;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.client.standard.StandardWebSocketClient;
import org.springframework.web.socket.handler.TextWebSocketHandler;

/** Spring, on Tyrus. */
final class Spring extends TextWebSocketHandler {
    public static void main(String[] words) throws InterruptedException {
        WebSocketHttpHeaders headers = new WebSocketHttpHeaders();
        Lines.HEADERS.forEach(headers::add);
        if (!Lines.SUBPROTOCOLS.isEmpty()) {
            headers.setSecWebSocketProtocol(Lines.SUBPROTOCOLS);
        }
        try {
            new StandardWebSocketClient().execute(new Spring(), headers, URI.create(words[0])).get();
            Thread.currentThread().join();
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof DeploymentHandshakeException refused) {
                Lines.refused(refused.getHttpStatusCode(), null);
            }
            Lines.error(failed.getCause());
        }
    }

    @Override
    public void afterConnectionEstablished(WebSocketSession session) throws IOException {
        Lines.say("open");
        session.sendMessage(new TextMessage("hello"));
    }

    @Override
    protected void handleTextMessage(WebSocketSession session, TextMessage message) throws IOException {
        String answer = Lines.text(message.getPayload());
        if (answer != null) {
            session.sendMessage(new TextMessage(answer));
        }
    }

    @Override
    public void afterConnectionClosed(WebSocketSession session, CloseStatus close) {
        Lines.close(close.getCode(), close.getReason());
    }
}
