package others;

import java.io.IOException;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.WebSocket;
import okhttp3.WebSocketListener;

/** OkHttp. A close reaches {@code onClosing}; {@code onClosed} follows if this side closes too. */
final class OkHttp extends WebSocketListener {
    public static void main(String[] words) {
        Request.Builder request = new Request.Builder().url(words[0]);
        Lines.HEADERS.forEach(request::header);
        if (!Lines.SUBPROTOCOLS.isEmpty()) {
            request.header("Sec-WebSocket-Protocol", String.join(", ", Lines.SUBPROTOCOLS));
        }
        new OkHttpClient().newWebSocket(request.build(), new OkHttp());
    }

    @Override
    public void onOpen(WebSocket session, Response answer) {
        Lines.say("open");
        session.send("hello");
    }

    @Override
    public void onMessage(WebSocket session, String message) {
        String answer = Lines.text(message);
        if (answer != null) {
            session.send(answer);
        }
    }

    @Override
    public void onClosing(WebSocket session, int code, String reason) {
        session.close(1000, null);
        Lines.close(code, reason);
    }

    @Override
    public void onFailure(WebSocket session, Throwable error, Response answer) {
        if (answer == null) {
            Lines.error(error);
            return;
        }
        try {
            Lines.refused(answer.code(), answer.body().string());
        } catch (IOException unread) {
            Lines.refused(answer.code(), null);
        }
    }
}
