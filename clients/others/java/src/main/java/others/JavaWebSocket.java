package others;

import java.net.URI;
import java.util.List;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.handshake.ServerHandshake;
import org.java_websocket.protocols.IProtocol;
import org.java_websocket.protocols.Protocol;

/** Java-WebSocket. By default it sends pings of its own, every minute, and gives up a line that answers none. */
final class JavaWebSocket extends WebSocketClient {
    private JavaWebSocket(URI at, List<IProtocol> offered) {
        super(at, offered.isEmpty() ? new Draft_6455() : new Draft_6455(List.of(), offered), Lines.HEADERS);
    }

    public static void main(String[] words) {
        List<IProtocol> offered = Lines.SUBPROTOCOLS.stream().map(name -> (IProtocol) new Protocol(name)).toList();
        new JavaWebSocket(URI.create(words[0]), offered).connect();
    }

    @Override
    public void onOpen(ServerHandshake answer) {
        Lines.say("open");
        send("hello");
    }

    @Override
    public void onMessage(String message) {
        String answer = Lines.text(message);
        if (answer != null) {
            send(answer);
        }
    }

    @Override
    public void onClose(int code, String reason, boolean remote) {
        Lines.close(code, reason);
    }

    @Override
    public void onError(Exception error) {
        Lines.say("error", "text", String.valueOf(error));
    }
}
