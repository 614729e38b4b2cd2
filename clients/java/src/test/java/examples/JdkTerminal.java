package examples;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletionStage;

/** A terminal in plain mode, with nothing but the JDK:  TOKEN=… java JdkTerminal.java URL TERMINAL */
final class JdkTerminal implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    public static void main(String[] args) throws InterruptedException {
        WebSocket socket = HttpClient.newHttpClient().newWebSocketBuilder()
            .header("Authorization", "Bearer " + System.getenv("TOKEN"))
            .buildAsync(URI.create(args[0] + "?terminal_id=" + args[1]), new JdkTerminal()).join();
        socket.sendText("hello from " + args[1], true).join();
        socket.sendBinary(ByteBuffer.wrap(new byte[] {1, 2, 3}), true).join();
        Thread.currentThread().join();
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        message.append(part);
        if (last) {
            System.out.println(message);
            message.setLength(0);
        }
        return WebSocket.Listener.super.onText(socket, part, last);
    }
}
