package others;

import java.net.URI;
import java.time.Duration;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.api.exceptions.UpgradeException;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

/** Jetty. Its limit of a message is 64 KiB by default, and its limit of idleness 30 s, which pings of a node do not touch. */
public final class Jetty extends Session.Listener.AbstractAutoDemanding {
    public static void main(String[] words) throws Exception {
        WebSocketClient client = new WebSocketClient();
        client.setMaxTextMessageSize(1 << 20);
        client.setIdleTimeout(Duration.ofMinutes(2));
        client.start();
        ClientUpgradeRequest request = new ClientUpgradeRequest(URI.create(words[0]));
        Lines.HEADERS.forEach(request::setHeader);
        request.setSubProtocols(Lines.SUBPROTOCOLS);
        client.connect(new Jetty(), request).exceptionally(error -> {
            if (error instanceof UpgradeException refused) {
                Lines.refused(refused.getResponseStatusCode(), null);
            } else {
                Lines.error(error);
            }
            return null;
        });
    }

    @Override
    public void onWebSocketOpen(Session session) {
        super.onWebSocketOpen(session);
        Lines.say("open");
        session.sendText("hello", Callback.NOOP);
    }

    @Override
    public void onWebSocketText(String message) {
        String answer = Lines.text(message);
        if (answer != null) {
            getSession().sendText(answer, Callback.NOOP);
        }
    }

    @Override
    public void onWebSocketClose(int code, String reason, Callback callback) {
        callback.succeed();
        Lines.close(code, reason);
    }
}
