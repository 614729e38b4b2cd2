package io.muster.client.transport;

import java.io.IOException;
import java.net.Socket;
import java.nio.ByteBuffer;
import org.java_websocket.WebSocket;
import org.java_websocket.WebSocketImpl;
import org.java_websocket.client.WebSocketClient;
import org.java_websocket.exceptions.WebsocketNotConnectedException;
import org.java_websocket.framing.CloseFrame;
import org.java_websocket.framing.Framedata;
import org.java_websocket.handshake.ServerHandshake;

/** One connection of Java-WebSocket. */
final class JavaWebSocketLine extends WebSocketClient implements Line {
    /** How many messages may wait to be written: the library's own queue has no bound. */
    private static final int QUEUE = 64;
    /** How long {@link #sendText} waits for room, in milliseconds. */
    private static final int PATIENCE = 10_000;
    private static final int INTERVAL = 2;

    private final LineListener listener;
    private volatile String failure;

    JavaWebSocketLine(Dialer.Request request, LineListener listener) {
        super(request.url(), new AnsweringDraft(request.protocol()), request.headers(), (int) request.deadline().toMillis());
        this.listener = listener;
        setTcpNoDelay(true);
        // The terminal itself looks whether the node is still there.
        setConnectionLostTimeout(0);
    }

    @Override
    public void sendText(String text) throws IOException {
        WebSocketImpl socket = (WebSocketImpl) getConnection();
        try {
            for (int waited = 0; socket.outQueue.size() >= QUEUE; waited += INTERVAL) {
                if (waited >= PATIENCE) {
                    throw new IOException("the network took nothing for " + PATIENCE + " ms");
                }
                Thread.sleep(INTERVAL);
            }
            send(text);
        } catch (WebsocketNotConnectedException closed) {
            throw new IOException("the connection is closed", closed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the network took nothing", interrupted);
        }
    }

    @Override
    public void abort() {
        closeConnection(CloseFrame.ABNORMAL_CLOSE, "");
        try {
            // The library closes the socket after it has written what waits, which a dead line does not take.
            Socket socket = getSocket();
            if (socket != null) {
                socket.close();
            }
        } catch (IOException ignored) {
            // It is gone, as it should be.
        }
    }

    @Override
    public void onOpen(ServerHandshake handshake) {
        String protocol = handshake.getFieldValue("Sec-WebSocket-Protocol");
        listener.onOpen(protocol.isEmpty() ? null : protocol);
    }

    @Override
    public void onMessage(String text) {
        listener.onText(text);
    }

    @Override
    public void onMessage(ByteBuffer bytes) {
        listener.onSign();
    }

    @Override
    public void onWebsocketPing(WebSocket socket, Framedata ping) {
        super.onWebsocketPing(socket, ping);
        listener.onSign();
    }

    @Override
    public void onClose(int code, String reason, boolean remote) {
        AnsweringDraft draft = (AnsweringDraft) getConnection().getDraft();
        if (draft.status() != 0) {
            listener.onRefused(draft.status(), draft.retryAfter());
        } else if (remote && code > 0 && code != CloseFrame.ABNORMAL_CLOSE) {
            listener.onClose(code, reason);
        } else {
            String cause = reason == null || reason.isEmpty() ? "the connection ended without a close" : reason;
            listener.onLost(failure == null ? cause : failure);
        }
    }

    @Override
    public void onError(Exception error) {
        failure = error.toString();
    }
}
