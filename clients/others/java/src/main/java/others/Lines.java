package others;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What each program of this folder is told, and what it prints: one JSON object a line. The JVM's own settings name the CA. */
final class Lines {
    private static final Gson JSON = new GsonBuilder().serializeNulls().create();
    private static final String TOKEN = System.getenv("TOKEN");
    private static final boolean OFFERED = "subprotocol".equals(System.getenv("HEAD"));

    /** The header with the token, unless the token is offered as a subprotocol. */
    static final Map<String, String> HEADERS = OFFERED ? Map.of() : Map.of("Authorization", "Bearer " + TOKEN);

    /** The subprotocols to offer; none if the token is in a header. */
    static final List<String> SUBPROTOCOLS = OFFERED ? List.of("muster.plain", "muster.bearer." + TOKEN) : List.of();

    private Lines() {}

    /** Prints what the library told: names and values in turn. */
    static synchronized void say(String saw, Object... fields) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("saw", saw);
        for (int at = 0; at < fields.length; at += 2) {
            line.put((String) fields[at], fields[at + 1]);
        }
        System.out.println(JSON.toJson(line));
    }

    /** Prints a message, and returns what is to be sent in answer; null if nothing is. */
    static String text(String message) {
        say("text", "size", message.length(), "text", message.substring(0, Math.min(message.length(), 64)));
        return message.startsWith("send ") ? "x".repeat(Integer.parseInt(message.substring(5))) : null;
    }

    /** Prints how a session ended, and ends the program: libraries leave threads behind. */
    static void close(Integer code, String reason) {
        say("close", "code", code, "reason", reason);
        System.exit(0);
    }

    /** Prints that the handshake was refused, and ends the program. */
    static void refused(Integer status, String body) {
        say("refused", "status", status, "body", body);
        System.exit(0);
    }

    /** Prints an error in the words of the library, and ends the program. */
    static void error(Throwable error) {
        say("error", "text", String.valueOf(error));
        System.exit(0);
    }
}
