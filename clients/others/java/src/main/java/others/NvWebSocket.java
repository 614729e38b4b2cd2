package others;

import com.neovisionaries.ws.client.OpeningHandshakeException;
import com.neovisionaries.ws.client.WebSocket;
import com.neovisionaries.ws.client.WebSocketAdapter;
import com.neovisionaries.ws.client.WebSocketException;
import com.neovisionaries.ws.client.WebSocketFactory;
import com.neovisionaries.ws.client.WebSocketFrame;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** nv-websocket-client. */
final class NvWebSocket extends WebSocketAdapter {
    public static void main(String[] words) throws IOException {
        WebSocket session = new WebSocketFactory().createSocket(words[0]);
        Lines.HEADERS.forEach(session::addHeader);
        Lines.SUBPROTOCOLS.forEach(session::addProtocol);
        session.addListener(new NvWebSocket());
        try {
            session.connect();
        } catch (OpeningHandshakeException refused) {
            byte[] body = refused.getBody();
            int status = refused.getStatusLine().getStatusCode();
            Lines.refused(status, body == null ? null : new String(body, StandardCharsets.UTF_8));
        } catch (WebSocketException error) {
            Lines.error(error);
        }
    }

    @Override
    public void onConnected(WebSocket session, Map<String, List<String>> headers) {
        Lines.say("open");
        session.sendText("hello");
    }

    @Override
    public void onTextMessage(WebSocket session, String message) {
        String answer = Lines.text(message);
        if (answer != null) {
            session.sendText(answer);
        }
    }

    @Override
    public void onDisconnected(WebSocket session, WebSocketFrame theirs, WebSocketFrame ours, boolean byServer) {
        Lines.close(theirs == null ? null : theirs.getCloseCode(), theirs == null ? null : theirs.getCloseReason());
    }
}
