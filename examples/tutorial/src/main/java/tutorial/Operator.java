package tutorial;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Iterator;
import java.util.stream.Stream;

/**
 * What the tutorial's server does when a client comes or goes, as a program of an operator: it follows the events, greets
 * who comes, and tells all. Muster itself has no chat in it.
 */
final class Operator implements Runnable {
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String api;
    private final String key;

    /** {@code api} is where the cluster is, such as {@code http://127.0.0.1:8080}. */
    Operator(String api, String key) {
        this.api = api;
        this.key = key;
    }

    /** Follows the events until the stream ends. */
    @Override
    public void run() {
        try {
            HttpRequest request = request("/v1/events?kind=terminal.online,terminal.offline").build();
            HttpResponse<Stream<String>> events = http.send(request, BodyHandlers.ofLines());
            Stage.say("operator", "follows", String.valueOf(events.statusCode()));
            String kind = "";
            for (Iterator<String> lines = events.body().iterator(); lines.hasNext(); ) {
                String line = lines.next();
                if (line.startsWith("event: ")) {
                    kind = line.substring("event: ".length());
                } else if (line.startsWith("data: ")) {
                    on(kind, JsonParser.parseString(line.substring("data: ".length())).getAsJsonObject());
                }
            }
        } catch (IOException | InterruptedException error) {
            Stage.say("operator", "error", error.toString());
        }
    }

    private void on(String kind, JsonObject event) throws IOException, InterruptedException {
        String terminal = event.get("terminal").getAsString();
        if (kind.equals("terminal.online")) {
            JsonObject newcomer = new JsonObject();
            newcomer.addProperty("terminal", terminal);
            send(newcomer, "welcome, " + terminal);
            send(all(), terminal + " has come");
        } else if (kind.equals("terminal.offline")) {
            JsonPrimitive code = event.getAsJsonPrimitive("code");
            JsonPrimitive text = event.getAsJsonPrimitive("text");
            send(all(), terminal + " has left: " + event.get("reason").getAsString()
                    + (code == null ? "" : " " + code.getAsInt()) + (text == null ? "" : " " + text.getAsString()));
        }
    }

    private static JsonObject all() {
        JsonObject everyone = new JsonObject();
        everyone.addProperty("all", true);
        return everyone;
    }

    /** Sends a text to some terminals; those that are away do without it. */
    private void send(JsonObject target, String text) throws IOException, InterruptedException {
        JsonObject command = new JsonObject();
        command.add("target", target);
        command.addProperty("name", "chat");
        command.addProperty("payload", text);
        command.addProperty("offline", "skip");
        HttpRequest request = request("/v1/commands").POST(BodyPublishers.ofString(command.toString())).build();
        HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
        // 409: nobody is there to hear it.
        if (answer.statusCode() != 202 && answer.statusCode() != 409) {
            Stage.say("operator", "error", answer.statusCode() + " " + answer.body());
        }
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(api + path))
                .header("Authorization", "Bearer " + key).header("Content-Type", "application/json");
    }
}
