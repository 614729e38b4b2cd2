package examples;

import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.handshake.ServerHandshake;

/** A terminal in plain mode, with nothing but Java-WebSocket:  TOKEN=… java … examples.PlainTerminal URL TERMINAL */
public final class PlainTerminal extends WebSocketClient {
    private PlainTerminal(URI url, String token) {
        super(url, Map.of("Authorization", "Bearer " + token));
    }

    public static void main(String[] args) throws InterruptedException {
        PlainTerminal terminal = new PlainTerminal(URI.create(args[0] + "?terminal_id=" + args[1]), System.getenv("TOKEN"));
        terminal.connectBlocking();
        while (true) {
            if (terminal.isOpen()) {
                Thread.sleep(1000);
            } else {
                // At random, so that the terminals of a lost node do not all come back in the same moment.
                Thread.sleep(ThreadLocalRandom.current().nextLong(30_000));
                terminal.reconnectBlocking();
            }
        }
    }

    @Override
    public void onOpen(ServerHandshake handshake) {
        send("hello");
    }

    @Override
    public void onMessage(String command) {
        System.out.println("run: " + command);
    }

    @Override
    public void onMessage(ByteBuffer command) {
        System.out.println("run: " + command.remaining() + " bytes");
    }

    @Override
    public void onClose(int code, String reason, boolean remote) {
        System.out.println("closed: " + code + " " + reason);
    }

    @Override
    public void onError(Exception error) {
        System.out.println("error: " + error);
    }
}
