package others;

import io.vertx.core.Vertx;
import io.vertx.core.http.UpgradeRejectedException;
import io.vertx.core.http.WebSocket;
import io.vertx.core.http.WebSocketClientOptions;
import io.vertx.core.http.WebSocketConnectOptions;

/** Vert.x. Its limits, 64 KiB for a frame and 256 KiB for a message by default, are less than a command may have. */
final class VertX {
    public static void main(String[] words) {
        WebSocketClientOptions limits = new WebSocketClientOptions().setMaxFrameSize(1 << 20).setMaxMessageSize(1 << 20);
        WebSocketConnectOptions to = new WebSocketConnectOptions().setAbsoluteURI(words[0]);
        Lines.HEADERS.forEach(to::addHeader);
        Lines.SUBPROTOCOLS.forEach(to::addSubProtocol);
        Vertx.vertx().createWebSocketClient(limits).connect(to).onSuccess(VertX::opened).onFailure(VertX::failed);
    }

    private static void opened(WebSocket session) {
        session.textMessageHandler(message -> {
            String answer = Lines.text(message);
            if (answer != null) {
                session.writeTextMessage(answer);
            }
        });
        session.closeHandler(closed -> {
            Short code = session.closeStatusCode();
            Lines.close(code == null ? null : code.intValue(), session.closeReason());
        });
        Lines.say("open");
        session.writeTextMessage("hello");
    }

    private static void failed(Throwable error) {
        if (error instanceof UpgradeRejectedException refused) {
            Lines.refused(refused.getStatus(), refused.getBody() == null ? null : refused.getBody().toString());
        } else {
            Lines.error(error);
        }
    }
}
