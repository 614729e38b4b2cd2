package others;

import io.undertow.connector.ByteBufferPool;
import io.undertow.protocols.ssl.UndertowXnioSsl;
import io.undertow.server.DefaultByteBufferPool;
import io.undertow.websockets.client.WebSocketClient;
import io.undertow.websockets.client.WebSocketClientNegotiation;
import io.undertow.websockets.core.AbstractReceiveListener;
import io.undertow.websockets.core.BufferedTextMessage;
import io.undertow.websockets.core.CloseMessage;
import io.undertow.websockets.core.WebSocketChannel;
import io.undertow.websockets.core.WebSockets;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import org.xnio.OptionMap;
import org.xnio.Xnio;

/** Undertow. */
final class Undertow extends AbstractReceiveListener {
    public static void main(String[] words) throws Exception {
        URI at = URI.create(words[0]);
        Xnio xnio = Xnio.getInstance();
        ByteBufferPool buffers = new DefaultByteBufferPool(true, 16384);
        WebSocketClient.ConnectionBuilder to = WebSocketClient.connectionBuilder(xnio.createWorker(OptionMap.EMPTY), buffers, at);
        if (at.getScheme().equals("wss")) {
            to.setSsl(new UndertowXnioSsl(xnio, OptionMap.EMPTY, SSLContext.getDefault()));
        }
        to.setClientNegotiation(new WebSocketClientNegotiation(Lines.SUBPROTOCOLS, List.of()) {
            @Override
            public void beforeRequest(Map<String, List<String>> headers) {
                Lines.HEADERS.forEach((name, value) -> headers.put(name, List.of(value)));
            }
        });
        try {
            opened(to.connect().get());
        } catch (IOException error) {
            Lines.error(error);
        }
    }

    private static void opened(WebSocketChannel session) {
        session.getReceiveSetter().set(new Undertow());
        session.resumeReceives();
        Lines.say("open");
        WebSockets.sendText("hello", session, null);
    }

    @Override
    protected void onFullTextMessage(WebSocketChannel session, BufferedTextMessage message) {
        String answer = Lines.text(message.getData());
        if (answer != null) {
            WebSockets.sendText(answer, session, null);
        }
    }

    @Override
    protected void onCloseMessage(CloseMessage close, WebSocketChannel session) {
        Lines.close(close.getCode(), close.getReason());
    }

    @Override
    protected void onError(WebSocketChannel session, Throwable error) {
        Lines.error(error);
    }
}
