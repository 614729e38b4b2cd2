package others;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/** The JDK's own java.net.http. It hands a message over in parts. */
final class JavaNetHttp implements WebSocket.Listener {
    private final StringBuilder parts = new StringBuilder();

    public static void main(String[] words) throws InterruptedException {
        WebSocket.Builder builder = HttpClient.newHttpClient().newWebSocketBuilder();
        Lines.HEADERS.forEach(builder::header);
        if (!Lines.SUBPROTOCOLS.isEmpty()) {
            builder.subprotocols(Lines.SUBPROTOCOLS.get(0), Lines.SUBPROTOCOLS.get(1));
        }
        try {
            builder.buildAsync(URI.create(words[0]), new JavaNetHttp()).join();
        } catch (CompletionException error) {
            if (error.getCause() instanceof WebSocketHandshakeException refused) {
                Object body = refused.getResponse().body();
                Lines.refused(refused.getResponse().statusCode(), body == null ? null : body.toString());
            }
            Lines.error(error.getCause());
        }
        Thread.currentThread().join();
    }

    @Override
    public void onOpen(WebSocket session) {
        Lines.say("open");
        session.sendText("hello", true);
        session.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket session, CharSequence part, boolean last) {
        parts.append(part);
        if (last) {
            String answer = Lines.text(parts.toString());
            parts.setLength(0);
            if (answer != null) {
                session.sendText(answer, true);
            }
        }
        session.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket session, int code, String reason) {
        Lines.close(code, reason);
        return null;
    }

    @Override
    public void onError(WebSocket session, Throwable error) {
        Lines.error(error);
    }
}
