package tutorial;

import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Map;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.handshake.ServerHandshake;

/** The client with Java-WebSocket. All that Muster needs is the URL and the token. */
final class ChatClient extends WebSocketClient implements Client {
    private final String name;

    ChatClient(String name, URI url, String token) {
        super(url, Map.of("Authorization", "Bearer " + token));
        this.name = name;
    }

    @Override
    public void start() {
        connect();
    }

    @Override
    public void onOpen(ServerHandshake handshake) {
        Stage.say(name, "open", "");
        send("hello from " + name);
    }

    @Override
    public void onMessage(String message) {
        Stage.say(name, "text", message);
    }

    @Override
    public void onMessage(ByteBuffer message) {
        Stage.say(name, "binary", Stage.hex(message));
    }

    @Override
    public void onClose(int code, String reason, boolean remote) {
        Stage.say(name, "close", code + " " + reason);
        Reconnect.later(this::reconnect);
    }

    @Override
    public void onError(Exception error) {
        Stage.say(name, "error", error.toString());
    }

    @Override
    public void sendText(String text) {
        send(text);
    }

    @Override
    public void sendBytes(byte[] bytes) {
        send(bytes);
    }
}
