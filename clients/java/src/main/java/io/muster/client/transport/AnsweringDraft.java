package io.muster.client.transport;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.java_websocket.drafts.Draft;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.exceptions.IncompleteHandshakeException;
import org.java_websocket.exceptions.InvalidHandshakeException;
import org.java_websocket.handshake.Handshakedata;
import org.java_websocket.protocols.Protocol;

/** RFC 6455 as Java-WebSocket has it, and the answer to a refused handshake, which that library throws away. */
final class AnsweringDraft extends Draft_6455 {
    /** The longest head of an answer that is waited for, in bytes. */
    private static final int HEAD_MAX = 16 * 1024;
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[01] ([0-9]{3})[ \r]");
    private static final Pattern RETRY_AFTER = Pattern.compile("\r\nretry-after:([^\r]*)\r\n", Pattern.CASE_INSENSITIVE);

    private final String protocol;
    private volatile int status;
    private volatile Duration retryAfter;

    AnsweringDraft(String protocol) {
        super(List.of(), List.of(new Protocol(protocol)), Dialer.MAX_MESSAGE);
        this.protocol = protocol;
    }

    /** The HTTP status by which the server refused; 0 if it did not. */
    int status() {
        return status;
    }

    /** What the refusal said of a time to wait; null if nothing. */
    Duration retryAfter() {
        return retryAfter;
    }

    @Override
    public Handshakedata translateHandshake(ByteBuffer buffer) throws InvalidHandshakeException {
        String answer = StandardCharsets.ISO_8859_1.decode(buffer.duplicate()).toString();
        Matcher line = STATUS.matcher(answer);
        if (line.lookingAt() && !line.group(1).equals("101")) {
            boolean isWhole = answer.contains("\r\n\r\n");
            if (!isWhole && answer.length() < HEAD_MAX) {
                throw new IncompleteHandshakeException(buffer.capacity() + 1024);
            }
            Matcher header = RETRY_AFTER.matcher(answer);
            retryAfter = header.find() ? Dialer.retryAfter(header.group(1)) : null;
            status = Integer.parseInt(line.group(1));
            throw new InvalidHandshakeException("refused with HTTP status " + status);
        }
        return super.translateHandshake(buffer);
    }

    @Override
    public Draft copyInstance() {
        return new AnsweringDraft(protocol);
    }
}
