package tutorial;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/**
 * Plays the tutorial by lines of the standard input, and prints what each client sees:
 *
 * <pre>
 * operator API KEY            an operator who greets
 * java-websocket NAME URL TOKEN
 * spring NAME URL TOKEN
 * text NAME TEXT              the client sends a text
 * binary NAME HEX             the client sends bytes
 * close NAME                  the client closes, and comes back
 * </pre>
 */
public final class Stage {
    private final Map<String, Client> clients = new HashMap<>();

    private Stage() {}

    public static void main(String[] args) throws Exception {
        Stage stage = new Stage();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("stage", "ready", "");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                stage.play(line);
            } catch (RuntimeException error) {
                // Without the line, which may hold a token.
                say("stage", "error", line.split(" ")[0] + ": " + error);
            }
        }
        // Whoever gave the lines has ended, and so do the clients.
        System.exit(0);
    }

    private void play(String line) throws Exception {
        String[] words = line.split(" ");
        switch (words[0]) {
            case "operator" -> new Thread(new Operator(words[1], words[2]), "operator").start();
            case "java-websocket" -> start(words[1], new ChatClient(words[1], URI.create(words[2]), words[3]));
            case "spring" -> start(words[1], spring(new SpringConfiguration.Place(words[1], URI.create(words[2]), words[3])));
            case "text" -> clients.get(words[1]).sendText(line.split(" ", 3)[2]);
            case "binary" -> clients.get(words[1]).sendBytes(HexFormat.of().parseHex(words[2]));
            case "close" -> clients.get(words[1]).close();
            default -> throw new IllegalArgumentException("there is no such word");
        }
    }

    private void start(String name, Client client) {
        clients.put(name, client);
        client.start();
    }

    /** A client with Spring, in an application context of its own. */
    private static Client spring(SpringConfiguration.Place place) {
        AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
        context.registerBean(SpringConfiguration.Place.class, () -> place);
        context.register(SpringConfiguration.class);
        context.refresh();
        return context.getBean(SpringClient.class);
    }

    /** Prints what a client sees. */
    static synchronized void say(String name, String what, String more) {
        System.out.println((name + " " + what + " " + more).strip());
        System.out.flush();
    }

    static String hex(ByteBuffer bytes) {
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return HexFormat.of().formatHex(copy);
    }
}
